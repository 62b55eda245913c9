# First stage of the demo, in place of ImageNet: the backbone learns to tell classes
# of still images. The last stage of a backbone that has not learned that says
# nothing about classes, and prompts are made from it.
_base_ = ['./_base_/tiny_schedule.py', './_base_/tiny_runtime.py']

max_iters = 1000
class_folders = ('n02510455', 'n02129604', 'n01662784', 'n02391049')

model = dict(
    type='mmcls.ImageClassifier',
    data_preprocessor=dict(
        type='mmcls.ClsDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    ),
    backbone=dict(
        type='mmtrack.STPNSwinTransformer',
        embed_dims=32,
        depths=(2, 2, 2, 2),
        num_heads=(2, 4, 8, 16),
        window_size=4,
        drop_path_rate=0.0,
        out_indices=(3,),
    ),
    neck=dict(type='mmcls.GlobalAveragePooling'),
    head=dict(
        type='mmcls.LinearClsHead',
        in_channels=256,
        num_classes=len(class_folders),
        loss=dict(type='mmcls.CrossEntropyLoss'),
    ),
)

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmcls.CustomDataset',
        data_root='data/tiny_vid/',
        data_prefix='Data/DET/train/ILSVRC2013_train',
        classes=class_folders,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='mmcls.PackClsInputs'),
        ],
    ),
)

train_cfg = dict(max_iters=max_iters)
optim_wrapper = dict(optimizer=dict(lr=7e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=max_iters),
]
val_cfg = None
test_cfg = None
