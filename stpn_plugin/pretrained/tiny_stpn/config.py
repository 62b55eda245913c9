auto_scale_lr = dict(base_batch_size=16, enable=False)
custom_hooks = [
    dict(type='ClassCheckHook'),
]
custom_imports = dict(
    allow_failed_imports=False, imports=[
        'stpn_plugin',
    ])
default_hooks = dict(
    checkpoint=dict(
        _scope_='mmtrack',
        by_epoch=False,
        interval=1000,
        type='ResumableCheckpointHook'),
    finite_loss=dict(action='stop', type='NonFiniteLossHook'),
    launcher=dict(type='FollowLauncherHook'),
    logger=dict(_scope_='mmtrack', interval=20, type='LoggerHook'),
    param_scheduler=dict(_scope_='mmtrack', type='ParamSchedulerHook'),
    sampler_seed=dict(_scope_='mmtrack', type='DistSamplerSeedHook'),
    timer=dict(_scope_='mmtrack', type='IterTimerHook'),
    visualization=dict(
        _scope_='mmtrack', draw=False, type='TrackVisualizationHook'),
    weights=dict(type='FitWeightsHook'))
default_scope = 'mmtrack'
env_cfg = dict(
    cudnn_benchmark=False,
    dist_cfg=dict(backend='nccl', timeout=1800),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
log_level = 'INFO'
log_processor = dict(by_epoch=False)
model = dict(
    data_preprocessor=dict(
        _scope_='mmtrack',
        bgr_to_rgb=True,
        mean=[
            123.675,
            116.28,
            103.53,
        ],
        pad_size_divisor=16,
        rgb_to_bgr=False,
        std=[
            58.395,
            57.12,
            57.375,
        ],
        type='TrackDataPreprocessor'),
    detector=dict(
        _scope_='mmdet',
        backbone=dict(
            arch=None,
            convert_weights=False,
            depths=(
                2,
                2,
                2,
                2,
            ),
            drop_path_rate=0.0,
            embed_dims=32,
            frozen_stages=4,
            init_cfg=None,
            num_heads=(
                2,
                4,
                8,
                16,
            ),
            type='mmtrack.STPNSwinTransformer',
            window_size=4),
        init_cfg=dict(
            checkpoint=
            'work_dirs/tiny_faster-rcnn_swin_fpn_1xb16-400_tinyvid/iter_400.pth',
            prefix='detector.',
            type='Pretrained'),
        neck=dict(
            in_channels=[
                32,
                64,
                128,
                256,
            ],
            num_outs=5,
            out_channels=64,
            type='FPN'),
        roi_head=dict(
            bbox_head=dict(
                bbox_coder=dict(
                    target_means=[
                        0.0,
                        0.0,
                        0.0,
                        0.0,
                    ],
                    target_stds=[
                        0.2,
                        0.2,
                        0.2,
                        0.2,
                    ],
                    type='DeltaXYWHBBoxCoder'),
                fc_out_channels=128,
                in_channels=64,
                loss_bbox=dict(
                    beta=0.1111111111111111,
                    loss_weight=1.0,
                    type='SmoothL1Loss'),
                loss_cls=dict(
                    loss_weight=3.0,
                    type='CrossEntropyLoss',
                    use_sigmoid=False),
                num_classes=4,
                reg_class_agnostic=False,
                roi_feat_size=7,
                type='Shared2FCBBoxHead'),
            bbox_roi_extractor=dict(
                featmap_strides=[
                    4,
                    8,
                    16,
                    32,
                ],
                out_channels=64,
                roi_layer=dict(
                    output_size=7, sampling_ratio=0, type='RoIAlign'),
                type='SingleRoIExtractor'),
            test_cfg=dict(
                max_per_img=20,
                nms=dict(iou_threshold=0.5, type='nms'),
                score_thr=0.01),
            train_cfg=dict(
                assigner=dict(
                    ignore_iof_thr=-1,
                    match_low_quality=True,
                    min_pos_iou=0.5,
                    neg_iou_thr=0.5,
                    pos_iou_thr=0.5,
                    type='MaxIoUAssigner'),
                debug=False,
                pos_weight=-1,
                sampler=dict(
                    add_gt_as_proposals=True,
                    neg_pos_ub=-1,
                    num=32,
                    pos_fraction=0.5,
                    type='RandomSampler')),
            type='StandardRoIHead'),
        rpn_head=dict(
            anchor_generator=dict(
                ratios=[
                    1.0,
                ],
                scales=[
                    4,
                ],
                strides=[
                    4,
                    8,
                    16,
                    32,
                    64,
                ],
                type='AnchorGenerator'),
            bbox_coder=dict(
                target_means=[
                    0.0,
                    0.0,
                    0.0,
                    0.0,
                ],
                target_stds=[
                    1.0,
                    1.0,
                    1.0,
                    1.0,
                ],
                type='DeltaXYWHBBoxCoder'),
            feat_channels=64,
            in_channels=64,
            loss_bbox=dict(
                beta=0.1111111111111111, loss_weight=1.0, type='SmoothL1Loss'),
            loss_cls=dict(
                loss_weight=1.0, type='CrossEntropyLoss', use_sigmoid=True),
            type='RPNHead'),
        test_cfg=dict(
            rcnn=dict(
                max_per_img=20,
                nms=dict(iou_threshold=0.5, type='nms'),
                score_thr=0.01),
            rpn=dict(
                max_per_img=32,
                min_bbox_size=0,
                nms=dict(iou_threshold=0.7, type='nms'),
                nms_pre=100)),
        train_cfg=dict(
            rcnn=dict(
                assigner=dict(
                    ignore_iof_thr=-1,
                    match_low_quality=True,
                    min_pos_iou=0.5,
                    neg_iou_thr=0.5,
                    pos_iou_thr=0.5,
                    type='MaxIoUAssigner'),
                debug=False,
                pos_weight=-1,
                sampler=dict(
                    add_gt_as_proposals=True,
                    neg_pos_ub=-1,
                    num=32,
                    pos_fraction=0.5,
                    type='RandomSampler')),
            rpn=dict(
                allowed_border=-1,
                assigner=dict(
                    ignore_iof_thr=-1,
                    match_low_quality=True,
                    min_pos_iou=0.3,
                    neg_iou_thr=0.3,
                    pos_iou_thr=0.7,
                    type='MaxIoUAssigner'),
                debug=False,
                pos_weight=-1,
                sampler=dict(
                    add_gt_as_proposals=False,
                    neg_pos_ub=-1,
                    num=64,
                    pos_fraction=0.5,
                    type='RandomSampler')),
            rpn_proposal=dict(
                max_per_img=32,
                min_bbox_size=0,
                nms=dict(iou_threshold=0.7, type='nms'),
                nms_pre=100)),
        type='FasterRCNN'),
    prompt_predictor=dict(type='AttentionPromptPredictor'),
    type='STPN')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1, norm_type=2),
    optimizer=dict(lr=0.001, type='AdamW', weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(prompt_predictor=dict(lr_mult=3))),
    type='OptimWrapper')
param_scheduler = [
    dict(begin=0, by_epoch=False, end=50, start_factor=0.1, type='LinearLR'),
    dict(
        T_max=200,
        begin=50,
        by_epoch=False,
        end=250,
        eta_min=1e-05,
        type='CosineAnnealingLR'),
]
randomness = dict(seed=0)
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    collate_fn=dict(type='collate_frames'),
    dataset=dict(
        _scope_='mmtrack',
        ann_file='annotations/imagenet_vid_val.json',
        data_prefix=dict(img_path='Data/VID'),
        data_root='data/tiny_vid/',
        load_as_video=True,
        metainfo=dict(CLASSES=(
            'giant_panda',
            'tiger',
            'turtle',
            'zebra',
        )),
        pipeline=[
            dict(
                share_random_params=True,
                transforms=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        keep_ratio=True, scale=(
                            96,
                            64,
                        ), type='mmdet.Resize'),
                ],
                type='TransformBroadcaster'),
            dict(type='PackTrackInputs'),
        ],
        ref_img_sampler=dict(
            method='test_with_adaptive_stride', num_ref_imgs=14),
        test_mode=True,
        type='STPNImagenetVIDDataset'),
    drop_last=False,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(_scope_='mmtrack', type='VideoSampler'))
test_evaluator = [
    dict(
        ann_file='data/tiny_vid/annotations/imagenet_vid_val.json',
        metric='bbox',
        type='CocoVideoMetric'),
    dict(
        ann_file='data/tiny_vid/annotations/imagenet_vid_val.json',
        type='VIDMotionMetric'),
]
train_cfg = dict(max_iters=250, type='IterBasedTrainLoop', val_interval=250)
train_dataloader = dict(
    batch_sampler=dict(
        _scope_='mmtrack', type='mmdet.AspectRatioBatchSampler'),
    batch_size=8,
    dataset=dict(
        _scope_='mmtrack',
        datasets=[
            dict(
                ann_file='annotations/imagenet_vid_train.json',
                data_prefix=dict(img_path='Data/VID'),
                data_root='data/tiny_vid/',
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                load_as_video=True,
                metainfo=dict(
                    CLASSES=(
                        'giant_panda',
                        'tiger',
                        'turtle',
                        'zebra',
                    )),
                pipeline=[
                    dict(
                        share_random_params=True,
                        transforms=[
                            dict(type='LoadImageFromFile'),
                            dict(
                                type='LoadTrackAnnotations',
                                with_instance_id=True),
                            dict(prob=0.5, type='RandomFlip'),
                        ],
                        type='TransformBroadcaster'),
                    dict(type='PackTrackInputs'),
                ],
                ref_img_sampler=dict(
                    filter_key_img=True,
                    frame_range=16,
                    method='bilateral_uniform',
                    num_ref_imgs=4),
                type='STPNImagenetVIDDataset'),
        ],
        type='ConcatDataset'),
    num_workers=1,
    persistent_workers=True,
    sampler=dict(_scope_='mmtrack', shuffle=True, type='DefaultSampler'))
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=1,
    collate_fn=dict(type='collate_frames'),
    dataset=dict(
        _scope_='mmtrack',
        ann_file='annotations/imagenet_vid_val.json',
        data_prefix=dict(img_path='Data/VID'),
        data_root='data/tiny_vid/',
        load_as_video=True,
        metainfo=dict(CLASSES=(
            'giant_panda',
            'tiger',
            'turtle',
            'zebra',
        )),
        pipeline=[
            dict(
                share_random_params=True,
                transforms=[
                    dict(type='LoadImageFromFile'),
                    dict(
                        keep_ratio=True, scale=(
                            96,
                            64,
                        ), type='mmdet.Resize'),
                ],
                type='TransformBroadcaster'),
            dict(type='PackTrackInputs'),
        ],
        ref_img_sampler=dict(
            method='test_with_adaptive_stride', num_ref_imgs=14),
        test_mode=True,
        type='STPNImagenetVIDDataset'),
    drop_last=False,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(_scope_='mmtrack', type='VideoSampler'))
val_evaluator = [
    dict(
        ann_file='data/tiny_vid/annotations/imagenet_vid_val.json',
        metric='bbox',
        type='CocoVideoMetric'),
    dict(
        ann_file='data/tiny_vid/annotations/imagenet_vid_val.json',
        type='VIDMotionMetric'),
]
visualizer = dict(
    _scope_='mmtrack',
    name='visualizer',
    type='DetLocalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
    ])
