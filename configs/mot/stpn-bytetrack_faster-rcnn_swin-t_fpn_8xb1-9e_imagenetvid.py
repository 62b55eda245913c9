# ByteTrack behind the detector of STPN: checkpoints of the config that this inherits
# load as they are, and videos get track ids. It trains as that config does.
_base_ = [
    '../vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
    '../_base_/models/trackers.py',
]

model = dict(type='STPNByteTrack', **_base_.byte_track)
