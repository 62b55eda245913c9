# SELSA with learned prompts, the same for all videos, in place of none.
_base_ = ['./tiny_selsa_faster-rcnn_swin_fpn_1xb1-6400_tinyvid.py']

model = dict(type='STPNSelsa', prompt_predictor=dict(type='LearnedPrompts'))
