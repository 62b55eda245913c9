# Released as faster_rcnn_swint_vpt_deep_fpn_3x_vid_freeze_bb: every block has learned
# prompts of its own, and all else of the backbone is frozen.
_base_ = ['./vpt-shallow_faster-rcnn_swin-t_fpn_frozen_8xb1-3e_imagenetvid.py']

model = dict(prompt_predictor=dict(deep=True))
