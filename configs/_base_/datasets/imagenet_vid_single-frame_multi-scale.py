# As imagenet_vid_single-frame.py, with the augmentation of STPN, for comparisons in
# which nothing but the prompts differs.
_base_ = ['./imagenet_vid_single-frame.py', './multi_scale_augmentation.py']

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadTrackAnnotations', with_instance_id=True),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='RandomChoice',
        transforms=[
            [_base_.multi_scale],
            [_base_.resize_before_crop, _base_.crop, _base_.multi_scale],
        ],
    ),
    dict(type='PackTrackInputs', pack_single_img=True),
]

vid_train, det_train = _base_.train_dataloader.dataset.datasets
vid_train.update(pipeline=train_pipeline)
det_train.update(pipeline=train_pipeline)
train_dataloader = dict(dataset=dict(datasets=[vid_train, det_train]))
