# MaskTrack R-CNN of mmtrack with a prompted Swin-T. Trained on a reference frame and
# two support frames, drawn from 100 frames before and after; tested with 14 support
# frames spread over the video.
_base_ = [
    'mmtrack::vis/masktrack_rcnn/'
    'masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py',
    '../_base_/models/swin-t_coco.py',
    '../_base_/datasets/youtube_vis_support.py',
    '../_base_/plugin.py',
]

num_support_frames = 2

model = dict(
    type='STPNMaskTrackRCNN',
    prompt_predictor=dict(type='AttentionPromptPredictor'),
    detector=dict(
        backbone=_base_.swin_t,
        neck=dict(in_channels=_base_.swin_t_channels),
        init_cfg=None,
    ),
)

train_dataloader = dict(
    dataset=dict(
        type='STPNYouTubeVISDataset',
        ref_img_sampler=dict(num_ref_imgs=1 + num_support_frames),
        pipeline=[
            dict(type='DrawReferenceFrames'),
            *_base_.train_pipeline[:-1],
            dict(type='PackPromptedInputs', num_support_frames=num_support_frames),
        ],
    )
)
val_dataloader = _base_.spread_support
test_dataloader = val_dataloader

# As usual for Swin.
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=2.5e-5, betas=(0.9, 0.999), weight_decay=0.05
    )
)
