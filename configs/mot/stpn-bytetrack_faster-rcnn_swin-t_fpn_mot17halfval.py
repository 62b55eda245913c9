# ByteTrack of mmtrack with the detector of stpn-sort, in place of its YOLOX. Tracks are
# interpolated before they are scored, as in its config.
_base_ = [
    './stpn-sort_faster-rcnn_swin-t_fpn_mot17halfval.py',
    '../_base_/models/trackers.py',
]

byte_track = _base_.byte_track
model = dict(
    type='STPNByteTrack',
    motion=byte_track.motion,
    tracker=dict(byte_track.tracker, _delete_=True),
)

val_evaluator = _base_.byte_track_evaluator
test_evaluator = val_evaluator
