# Every block has learned prompts of its own.
_base_ = ['./vpt-shallow_faster-rcnn_swin-b_fpn_8xb1-14e_imagenetvid.py']

model = dict(prompt_predictor=dict(deep_depths=(2, 2, 18, 2)))
