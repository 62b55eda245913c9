# Ours: the paper names a mixer, no code of one was released. Otherwise as the attention
# form.
_base_ = ['./stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(prompt_predictor=dict(_delete_=True, type='MixerPromptPredictor'))
