# ByteTrack behind the detector of STPN: checkpoints of the config that this inherits
# load as they are, and videos get track ids. It trains as that config does.
_base_ = ['../vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    type='STPNByteTrack',
    motion=dict(type='KalmanFilter'),
    tracker=dict(
        type='ByteTracker',
        obj_score_thrs=dict(high=0.6, low=0.1),
        init_track_thr=0.7,
        weight_iou_with_det_scores=True,
        match_iou_thrs=dict(high=0.1, low=0.5, tentative=0.3),
        num_frames_retain=30,
    ),
)
