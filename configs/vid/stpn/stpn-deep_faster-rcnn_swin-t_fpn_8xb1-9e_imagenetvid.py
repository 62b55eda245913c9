# Ours: start weights and schedule of the other STPN models. The released one trains for
# 3 epochs from ImageNet weights. Prompts of the six blocks of the third stage,
# predicted from what enters them.
_base_ = ['./stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    prompt_predictor=dict(
        _delete_=True,
        type='DeepPromptPredictor',
        predictor=dict(type='AveragePromptPredictor'),
        blocks=[(2, block) for block in range(6)],
    ),
)
