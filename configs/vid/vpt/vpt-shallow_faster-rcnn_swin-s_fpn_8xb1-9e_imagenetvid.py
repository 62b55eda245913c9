# Ours: augmentation, start weights and schedule of STPN, so that nothing but the source
# of the prompts differs. The released one trains for 3 epochs on images of 1000 x 600,
# from ImageNet weights.
_base_ = ['../single_frame/faster-rcnn_swin-s_fpn_8xb1-9e_imagenetvid.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(type='LearnedPrompts'),
)
