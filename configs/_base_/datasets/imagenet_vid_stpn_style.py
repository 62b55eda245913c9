# ImageNet VID (15 frames a video) and DET (30 classes) for training, VID for testing;
# each key frame with support frames of its video.
#
# Often changed
#   The folder: put ILSVRC, or a link to it, at data/ILSVRC.
#   Numbers of support frames T, each in one place, for `--cfg-options`:
#     train_dataloader.dataset.datasets.0.ref_img_sampler.num_ref_imgs  VID, even
#     train_dataloader.dataset.datasets.1.ref_img_sampler.num_ref_imgs  DET, the same
#     val_dataloader.dataset.ref_img_sampler.num_ref_imgs               >= 2
#     test_dataloader.dataset.ref_img_sampler.num_ref_imgs              >= 2
#   A config that inherits sets them as imagenet_vid_stpn-selsa_style.py does.
_base_ = [
    'mmtrack::_base_/datasets/imagenet_vid_fgfa_style.py',
    './multi_scale_augmentation.py',
]

shared = dict(type='TransformBroadcaster', share_random_params=True)
each = dict(type='TransformBroadcaster', share_random_params=False)

train_pipeline = [
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
            [dict(**shared, transforms=[_base_.multi_scale])],
            [
                dict(**shared, transforms=[_base_.resize_before_crop]),
                dict(**each, transforms=[_base_.crop]),
                dict(type='PadFramesToLargest'),
                dict(**shared, transforms=[_base_.multi_scale]),
            ],
        ],
    ),
    dict(type='PackTrackInputs'),
]

vid_train, det_train = _base_.train_dataloader.dataset.datasets
vid_train.update(
    type='STPNImagenetVIDDataset',
    pipeline=train_pipeline,
    ref_img_sampler=dict(
        num_ref_imgs=2, frame_range=9, filter_key_img=True, method='bilateral_uniform'
    ),
)
det_train.update(
    type='STPNImagenetVIDDataset',
    pipeline=train_pipeline,
    # A still image is its own support frame.
    ref_img_sampler=dict(
        num_ref_imgs=2, frame_range=0, filter_key_img=False, method='bilateral_uniform'
    ),
)
train_dataloader = dict(dataset=dict(datasets=[vid_train, det_train]))

val_dataloader = dict(
    collate_fn=dict(type='collate_frames'),  # for a batch_size > 1
    dataset=dict(
        type='STPNImagenetVIDDataset',
        # Frame 0 brings support frames from all over the video.
        ref_img_sampler=dict(
            _delete_=True, num_ref_imgs=14, method='test_with_adaptive_stride'
        ),
    ),
)
test_dataloader = val_dataloader

val_ann_file = 'data/ILSVRC/annotations/imagenet_vid_val.json'
val_evaluator = [
    dict(type='CocoVideoMetric', ann_file=val_ann_file, metric='bbox'),
    dict(type='VIDMotionMetric', ann_file=val_ann_file),  # fast, medium, slow
]
test_evaluator = val_evaluator
