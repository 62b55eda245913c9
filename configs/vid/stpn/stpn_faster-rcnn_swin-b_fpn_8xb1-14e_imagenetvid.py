_base_ = ['./faster-rcnn_swin-b_fpn_8xb1-14e_imagenetvid.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(
        type='AttentionPromptPredictor', in_channels=1024, prompt_dims=128
    ),
)
