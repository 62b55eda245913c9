# STPN on videos of tiny_vid, from the backbone of
# tiny_swin_1xb32-700_tinyvid-stills.py.
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
            # what the first stage leaves in its default work directory
            init_cfg=dict(
                _delete_=True,
                type='Pretrained',
                checkpoint='work_dirs/tiny_swin_1xb32-700_tinyvid-stills/iter_700.pth',
            )
        )
    ),
    prompt_predictor=dict(
        type='AttentionPromptPredictor', in_channels=256, prompt_dims=32
    ),
)

# The backbone shall keep what it knows of classes; the predictor has most to learn.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'detector.backbone': dict(lr_mult=0.3),
            'prompt_predictor': dict(lr_mult=3),
        }
    )
)
