# Released as faster_rcnn_swins_vpt_fpn_3x_vid_freeze_bb: all of the backbone is frozen.
_base_ = ['../single_frame/faster-rcnn_swin-s_fpn_8xb1-3e_imagenetvid.py']

model = dict(
    type='STPN',
    detector=dict(backbone=dict(frozen_stages=4)),
    prompt_predictor=dict(type='LearnedPrompts'),
)
