# Third stage: STPN on the detector of tiny_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py.
_base_ = ['./tiny_faster-rcnn_swin_fpn_1xb16-2x400_tinyvid.py']

model = dict(
    type='STPN',
    prompt_predictor=dict(type='AttentionPromptPredictor'),
)

# The predictor has most to learn.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'prompt_predictor': dict(lr_mult=3)})
)
