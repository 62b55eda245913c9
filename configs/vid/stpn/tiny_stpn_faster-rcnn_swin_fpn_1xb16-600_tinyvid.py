# STPN on videos of tiny_vid, from the backbone of
# tiny_swin_1xb32-1k_tinyvid-stills.py.
_base_ = [
    '../../_base_/models/tiny_faster-rcnn_swin_fpn.py',
    '../../_base_/datasets/tiny_vid.py',
    '../../_base_/schedules/tiny.py',
    '../../_base_/tiny_runtime.py',
]

model = dict(
    type='STPN',
    detector=dict(
        backbone=dict(
            # Fine-tuned on videos, the last stage forgets classes: small objects are
            # told apart from the other stages' features. Prompts then know nothing.
            frozen_stages=4,
            # what the first stage leaves in its default work directory
            init_cfg=dict(
                _delete_=True,
                type='Pretrained',
                checkpoint='work_dirs/tiny_swin_1xb32-1k_tinyvid-stills/iter_1000.pth',
            )
        )
    ),
    prompt_predictor=dict(
        type='AttentionPromptPredictor', in_channels=256, prompt_dims=32
    ),
)

optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'prompt_predictor': dict(lr_mult=3)})
)
