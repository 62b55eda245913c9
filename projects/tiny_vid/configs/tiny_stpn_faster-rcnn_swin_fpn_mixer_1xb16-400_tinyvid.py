_base_ = ['./tiny_stpn_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py']

model = dict(prompt_predictor=dict(_delete_=True, type='MixerPromptPredictor'))
