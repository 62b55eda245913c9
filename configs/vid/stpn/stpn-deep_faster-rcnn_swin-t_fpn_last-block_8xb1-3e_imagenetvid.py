# Released as faster_rcnn_swint_deeppredictvpt_depth_fpn_3x_vid_adam: prompts of the
# last block of the third stage.
_base_ = ['./stpn-deep_faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid.py']

model = dict(prompt_predictor=dict(blocks=[(2, 5)]))
