_base_ = ['./faster-rcnn_swin-l_fpn_8xb1-14e_imagenetvid.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(
        type='AttentionPromptPredictor', in_channels=1536, prompt_dims=192
    ),
)
