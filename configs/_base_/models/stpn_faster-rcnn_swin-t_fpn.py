_base_ = ['./faster-rcnn_swin-t_fpn.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(
        type='AttentionPromptPredictor',
        num_prompts=5,
        num_heads=16,
    ),
)
