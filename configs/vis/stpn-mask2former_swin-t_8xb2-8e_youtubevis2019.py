# Mask2Former of mmtrack with a prompted Swin-T. Trained on clips of two frames with two
# support frames more, drawn from the 5 frames before and after; tested on whole videos
# with 14 support frames spread over each.
_base_ = [
    'mmtrack::vis/mask2former/mask2former_r50_8xb2-8e_youtubevis2019.py',
    '../_base_/models/swin-t_coco.py',
    '../_base_/datasets/youtube_vis_support.py',
    '../_base_/plugin.py',
]

num_support_frames = 2

model = dict(
    type='STPNMask2Former',
    prompt_predictor=dict(type='AttentionPromptPredictor'),
    backbone=dict(
        _base_.swin_t,
        drop_path_rate=0.3,
        convert_weights=False,
        init_cfg=None,
    ),
    track_head=dict(in_channels=_base_.swin_t_channels),
    # COCO instance segmentation, of mmdet
    init_cfg=dict(
        checkpoint='https://download.openmmlab.com/mmdetection/v2.0/mask2former/'
        'mask2former_swin-t-p4-w7-224_lsj_8x2_50e_coco/'
        'mask2former_swin-t-p4-w7-224_lsj_8x2_50e_coco_20220508_091649-4a943037.pth'
    ),
)

train_dataloader = dict(
    dataset=dict(
        type='STPNYouTubeVISDataset',
        ref_img_sampler=dict(num_ref_imgs=1 + num_support_frames),
        pipeline=[
            dict(type='DrawReferenceFrames'),
            *_base_.train_pipeline[:-1],
            dict(
                type='PackPromptedInputs',
                num_support_frames=num_support_frames,
                num_key_frames=_base_.num_frames,
            ),
        ],
    )
)
val_dataloader = _base_.spread_support
test_dataloader = val_dataloader

# Norms and position tables of Swin do not decay, as in mmtrack's config with Swin-L.
not_decayed = dict(lr_mult=0.1, decay_mult=0.0)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'relative_position_bias_table': not_decayed,
            'backbone.patch_embed.norm': not_decayed,
            'backbone.norm': not_decayed,
            **{f'backbone.stages.{i}.downsample.norm': not_decayed for i in range(3)},
            **{
                f'backbone.stages.{i}.blocks.{j}.norm': not_decayed
                for i, depth in enumerate((2, 2, 6, 2))
                for j in range(depth)
            },
        }
    )
)
