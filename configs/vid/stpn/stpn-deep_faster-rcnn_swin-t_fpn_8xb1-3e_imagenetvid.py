# Released as faster_rcnn_swint_deeppredictvpt_fpn_3x_vid_adam: prompts of the six
# blocks of the third stage, from ImageNet weights.
_base_ = [
    '../../_base_/models/stpn_faster-rcnn_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_3e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    detector=dict(
        backbone=dict(
            # ImageNet-1K classification, of the Swin authors
            init_cfg=dict(
                checkpoint='https://github.com/SwinTransformer/storage/releases/'
                'download/v1.0.0/swin_tiny_patch4_window7_224.pth'
            ),
        )
    ),
    prompt_predictor=dict(
        _delete_=True,
        type='DeepPromptPredictor',
        predictor=dict(type='AveragePromptPredictor'),
        blocks=[(2, block) for block in range(6)],
    ),
)
