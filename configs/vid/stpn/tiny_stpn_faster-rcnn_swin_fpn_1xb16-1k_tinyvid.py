# Second stage of the demo: STPN on videos and still images.
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
                checkpoint='work_dirs/tiny_swin_1xb32-400_tinyvid-stills/iter_400.pth',
            )
        )
    ),
    prompt_predictor=dict(
        type='AttentionPromptPredictor', in_channels=256, prompt_dims=32
    ),
)
