# Learned prompts, the same for all videos; support frames are left unused.
_base_ = ['./faster-rcnn_swin-s_fpn_8xb1-9e_imagenetvid.py']

model = dict(type='STPN', prompt_predictor=dict(type='LearnedPrompts', prompt_dims=96))
