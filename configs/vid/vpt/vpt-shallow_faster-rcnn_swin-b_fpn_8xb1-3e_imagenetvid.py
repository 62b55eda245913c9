# Released as faster_rcnn_swinb_vpt_fpn_3x_vid.
_base_ = ['../single_frame/faster-rcnn_swin-b_fpn_8xb1-3e_imagenetvid.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(type='LearnedPrompts'),
)
