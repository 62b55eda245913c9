_base_ = ['./stpn_faster-rcnn_swin-b_fpn_8xb1-14e_imagenetvid.py']

model = dict(
    prompt_predictor=dict(
        _delete_=True, type='AveragePromptPredictor', in_channels=1024, prompt_dims=128
    )
)
