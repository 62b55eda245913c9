_base_ = ['./faster-rcnn_swin-t_fpn.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(
        type='AttentionPromptPredictor',
        in_channels=768,  # last stage of the backbone
        prompt_dims=96,  # its first stage
        num_prompts=5,
        num_heads=16,
    ),
)
