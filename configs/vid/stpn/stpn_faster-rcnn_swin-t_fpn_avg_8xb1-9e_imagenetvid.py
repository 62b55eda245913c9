# Released as dvp_fasterrcnn_swint_avg_9x_cocopretrains.
_base_ = ['./stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py']

model = dict(prompt_predictor=dict(_delete_=True, type='AveragePromptPredictor'))
