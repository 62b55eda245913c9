# QDTrack of mmtrack with a prompted Swin-T. Trained on a reference frame and two
# support frames, drawn from the 10 frames before and after; tested on past frames.
_base_ = [
    'mmtrack::mot/qdtrack/'
    'qdtrack_faster-rcnn_r50_fpn_8xb2-4e_mot17halftrain_test-mot17halfval.py',
    '../_base_/models/swin-t_coco.py',
    '../_base_/plugin.py',
]

num_support_frames = 2

model = dict(
    type='STPNQDTrack',
    prompt_predictor=dict(type='AttentionPromptPredictor'),
    support=dict(type='PastSupport'),
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    detector=dict(
        backbone=_base_.swin_t,
        neck=dict(in_channels=_base_.swin_t_channels),
        init_cfg=None,
    ),
)

train_dataloader = dict(
    dataset=dict(
        type='STPNMOTChallengeDataset',
        ref_img_sampler=dict(num_ref_imgs=1 + num_support_frames),
        pipeline=[
            dict(type='DrawReferenceFrames'),
            *_base_.train_pipeline[:-1],
            dict(type='PackPromptedInputs', num_support_frames=num_support_frames),
        ],
    )
)

# mmtrack names the class in training only; under test it would be one of thirteen.
val_dataloader = dict(dataset=dict(metainfo=dict(CLASSES=('pedestrian',))))
test_dataloader = val_dataloader

# As usual for Swin.
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05
    )
)
