# StrongSORT's tracker with the detector of stpn-deepsort, in place of its YOLOX.
_base_ = ['./stpn-deepsort_faster-rcnn_swin-t_fpn_mot17halfval.py']

deep_sort = _base_.model
model = dict(
    _delete_=True,
    type='STPNStrongSORT',
    data_preprocessor=deep_sort.data_preprocessor,
    detector=deep_sort.detector,
    prompt_predictor=deep_sort.prompt_predictor,
    support=deep_sort.support,
    reid=deep_sort.reid,
    kalman=dict(type='KalmanFilter', center_only=False, use_nsa=True),
    cmc=dict(
        type='CameraMotionCompensation',
        warp_mode='cv2.MOTION_EUCLIDEAN',
        num_iters=100,
        stop_eps=0.00001,
    ),
    tracker=dict(
        type='StrongSORTTracker',
        obj_score_thr=0.6,
        reid=dict(
            num_samples=None,
            img_scale=(256, 128),
            img_norm_cfg=None,
            match_score_thr=0.3,
            motion_weight=0.02,
        ),
        match_iou_thr=0.7,
        momentums=dict(embeds=0.1),
        num_tentatives=2,
        num_frames_retain=100,
    ),
)
