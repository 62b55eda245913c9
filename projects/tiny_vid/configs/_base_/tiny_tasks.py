# What the configs of tracking and segmentation add to those of detection: annotations
# of projects/tiny_vid/tasks.py, metrics, and parts of models.
task_imports = [
    'stpn_plugin',
    'projects.tiny_vid.box_tracker',
    'projects.tiny_vid.frame_metrics',
]

mot_data = dict(
    type='STPNMOTChallengeDataset',
    ann_file='annotations/tiny_mot_val.json',
    data_prefix=dict(img_path='MOT'),
)
mot_evaluator = [
    dict(type='TinyMOTMetrics', frames=frames, data_root='data/tiny_vid/')
    for frames in ('all', 'sharp', 'deteriorated')
]
# As in mmtrack's config of ByteTrack.
motion = dict(type='KalmanFilter')
byte_tracker = dict(
    type='ByteTracker',
    obj_score_thrs=dict(high=0.6, low=0.1),
    init_track_thr=0.7,
    weight_iou_with_det_scores=True,
    match_iou_thrs=dict(high=0.1, low=0.5, tentative=0.3),
    num_frames_retain=30,
)

vis_data = dict(type='STPNVideoDataset', ann_file='annotations/tiny_vis_val.json')
vis_train_data = dict(
    type='STPNVideoDataset', ann_file='annotations/tiny_vis_train.json'
)
vis_evaluator = [
    dict(type='TinyVISMetric', frames=frames, data_root='data/tiny_vid/')
    for frames in ('all', 'sharp', 'deteriorated')
]
# MaskTrack R-CNN's, narrowed as the detector is.
mask_branch = dict(
    mask_roi_extractor=dict(
        type='SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0),
        out_channels=64,
        featmap_strides=[4, 8, 16, 32],
    ),
    mask_head=dict(
        type='FCNMaskHead',
        num_convs=2,
        in_channels=64,
        conv_out_channels=64,
        num_classes=4,
        loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
    ),
)
track_head = dict(
    type='RoITrackHead',
    roi_extractor=dict(
        type='mmdet.SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
        out_channels=64,
        featmap_strides=[4, 8, 16, 32],
    ),
    embed_head=dict(
        type='RoIEmbedHead',
        num_fcs=2,
        roi_feat_size=7,
        in_channels=64,
        fc_out_channels=128,
    ),
    train_cfg=dict(
        assigner=dict(
            type='MaxIoUAssigner',
            _scope_='mmdet',
            pos_iou_thr=0.5,
            neg_iou_thr=0.5,
            min_pos_iou=0.5,
            match_low_quality=True,
            ignore_iof_thr=-1,
        ),
        sampler=dict(
            type='RandomSampler',
            _scope_='mmdet',
            num=32,
            pos_fraction=0.25,
            neg_pos_ub=-1,
            add_gt_as_proposals=True,
        ),
        pos_weight=-1,
        debug=False,
    ),
)
mask_tracker = dict(
    type='BoxTracker',
    match_weights=dict(det_score=1.0, iou=2.0, det_label=10.0),
    num_frames_retain=20,
)
