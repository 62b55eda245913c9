# Released as dvp_selsa_swinb_avg_9x_cocopretrains.
_base_ = ['./stpn-selsa_faster-rcnn_swin-b_fpn_8xb1-9e_imagenetvid.py']

model = dict(prompt_predictor=dict(_delete_=True, type='AveragePromptPredictor'))
