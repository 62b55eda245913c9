# The set of projects/tiny_vid, as its generator and the two converters make it.
_base_ = ['../../../../configs/_base_/datasets/imagenet_vid_stpn_style.py']

data_root = 'data/tiny_vid/'

# In the order of the annotation files.
metainfo = dict(CLASSES=('giant_panda', 'tiger', 'turtle', 'zebra'))

train_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadTrackAnnotations', with_instance_id=True),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PackTrackInputs'),
]
test_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadImageFromFile'),
            dict(type='mmdet.Resize', scale=(96, 64), keep_ratio=True),
        ],
    ),
    dict(type='PackTrackInputs'),
]

# The still images have served to train the backbone.
vid_train, _ = _base_.train_dataloader.dataset.datasets
vid_train.update(data_root=data_root, metainfo=metainfo, pipeline=train_pipeline)
vid_train.ref_img_sampler.update(num_ref_imgs=4, frame_range=16)

train_dataloader = dict(
    batch_size=16, num_workers=1, dataset=dict(datasets=[vid_train])
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(data_root=data_root, metainfo=metainfo, pipeline=test_pipeline),
)
test_dataloader = val_dataloader

val_ann_file = data_root + 'annotations/imagenet_vid_val.json'
val_evaluator = [
    dict(type='CocoVideoMetric', ann_file=val_ann_file, metric='bbox'),
    dict(type='VIDMotionMetric', ann_file=val_ann_file),
]
test_evaluator = val_evaluator
