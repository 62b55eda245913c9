# ImageNet VID (15 frames a video) and DET (30 classes) for training, VID for testing.
_base_ = ['mmtrack::_base_/datasets/imagenet_vid_fgfa_style.py']

# ---------------------------------------------------------- often changed
data_root = 'data/ILSVRC/'
num_support_frames = 2  # T in training
num_test_support_frames = 14  # T in testing, spread over the video

# ------------------------------------------------------- seldom changed
# Both policies end with a short side of 480 to 800 and a long side up to 1333.
multi_scale = dict(
    type='RandomChoiceResize',
    resize_type='mmdet.Resize',
    scales=[(1333, short) for short in range(480, 801, 32)],
    keep_ratio=True,
)
resize_before_crop = dict(
    type='RandomChoiceResize',
    resize_type='mmdet.Resize',
    scales=[(1333, short) for short in (400, 500, 600)],
    keep_ratio=True,
)
crop = dict(
    type='TrackRandomCrop',
    crop_type='absolute_range',
    crop_size=(384, 600),
    allow_negative_crop=True,
)
shared = dict(type='TransformBroadcaster', share_random_params=True)

train_pipeline = [
    dict(type='FillSupportFrames', num_support_frames=num_support_frames),
    dict(
        **shared,
        transforms=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadTrackAnnotations', with_instance_id=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(
        type='RandomChoice',
        transforms=[
            [dict(**shared, transforms=[multi_scale])],
            [
                dict(**shared, transforms=[resize_before_crop]),
                # Each frame has a crop of its own.
                dict(
                    type='TransformBroadcaster',
                    share_random_params=False,
                    transforms=[crop],
                ),
                dict(type='PadFramesToLargest'),
                dict(**shared, transforms=[multi_scale]),
            ],
        ],
    ),
    dict(type='PackTrackInputs'),
]

train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='ImagenetVIDDataset',
                data_root=data_root,
                ann_file='annotations/imagenet_vid_train.json',
                data_prefix=dict(img_path='Data/VID'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
                load_as_video=True,
                ref_img_sampler=dict(
                    num_ref_imgs=num_support_frames,
                    frame_range=9,
                    filter_key_img=True,
                    method='bilateral_uniform',
                ),
            ),
            dict(
                type='ImagenetVIDDataset',
                data_root=data_root,
                ann_file='annotations/imagenet_det_30plus1cls.json',
                data_prefix=dict(img_path='Data/DET'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
                load_as_video=False,
                # A still image is its own support frame.
                ref_img_sampler=dict(
                    num_ref_imgs=num_support_frames,
                    frame_range=0,
                    filter_key_img=False,
                    method='bilateral_uniform',
                ),
            ),
        ]
    )
)
val_dataloader = dict(
    collate_fn=dict(type='collate_frames'),  # for a batch_size > 1
    dataset=dict(
        data_root=data_root,
        ref_img_sampler=dict(
            _delete_=True,
            num_ref_imgs=num_test_support_frames,
            frame_range=[-num_test_support_frames // 2, num_test_support_frames // 2],
            method='test_with_adaptive_stride',
        ),
    ),
)
test_dataloader = val_dataloader

val_ann_file = data_root + 'annotations/imagenet_vid_val.json'
val_evaluator = [
    dict(type='CocoVideoMetric', ann_file=val_ann_file, metric='bbox'),
    dict(type='VIDMotionMetric', ann_file=val_ann_file),  # fast, medium, slow
]
test_evaluator = val_evaluator
