# Prompts of the six blocks of the third stage, predicted from what enters them.
_base_ = ['./faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(
        type='DeepPromptPredictor',
        predictor=dict(type='AveragePromptPredictor'),
        channels=[96, 192, 384, 768],
        blocks=[(2, block) for block in range(6)],
    ),
)
