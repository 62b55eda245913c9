# ImageNet VID and DET, one image a sample, resized to 1000 x 600, as the authors'
# baselines train: for models that look at no other frames. Put ILSVRC, or a link to it,
# at data/ILSVRC.
_base_ = ['mmtrack::_base_/datasets/imagenet_vid_fgfa_style.py']

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadTrackAnnotations', with_instance_id=True),
    dict(type='mmdet.Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackTrackInputs', pack_single_img=True),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(1000, 600), keep_ratio=True),
    dict(type='PackTrackInputs', pack_single_img=True),
]

vid_train, det_train = _base_.train_dataloader.dataset.datasets
vid_train.update(pipeline=train_pipeline, ref_img_sampler=None)
det_train.update(pipeline=train_pipeline, ref_img_sampler=None)
train_dataloader = dict(dataset=dict(datasets=[vid_train, det_train]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, ref_img_sampler=None))
test_dataloader = val_dataloader

val_ann_file = 'data/ILSVRC/annotations/imagenet_vid_val.json'
val_evaluator = [
    dict(type='CocoVideoMetric', ann_file=val_ann_file, metric='bbox'),
    dict(type='VIDMotionMetric', ann_file=val_ann_file),  # fast, medium, slow
]
test_evaluator = val_evaluator
