# MaskTrack R-CNN without prompts, from the same single-frame detector as the others;
# the heads of masks and tracks are new.
_base_ = [
    './tiny_faster-rcnn_swin_fpn_1xb16-2x400_tinyvid.py',
    './_base_/tiny_tasks.py',
]

custom_imports = dict(imports=_base_.task_imports)

model = dict(
    type='MaskTrackRCNN',
    detector=dict(
        type='mmdet.MaskRCNN',
        roi_head=_base_.mask_branch,
        train_cfg=dict(rcnn=dict(mask_size=28)),
        test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
    ),
    track_head=_base_.track_head,
    tracker=_base_.mask_tracker,
)

load = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadTrackAnnotations', with_instance_id=True, with_mask=True),
            dict(type='mmdet.RandomFlip', prob=0.5),  # flips masks, too
        ],
    )
]
(vid_train,) = _base_.train_dataloader.dataset.datasets
vid_train.update(
    _base_.vis_train_data,
    ref_img_sampler=dict(vid_train.ref_img_sampler, method='uniform', num_ref_imgs=1),
    pipeline=[*load, dict(type='PackTrackInputs')],
)
train_dataloader = dict(dataset=dict(datasets=[vid_train]))
test_dataloader = dict(dataset=_base_.vis_data)
test_evaluator = _base_.vis_evaluator
