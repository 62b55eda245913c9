_base_ = ['./faster-rcnn_swin-s_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(
        type='AttentionPromptPredictor', in_channels=768, prompt_dims=96
    ),
)
