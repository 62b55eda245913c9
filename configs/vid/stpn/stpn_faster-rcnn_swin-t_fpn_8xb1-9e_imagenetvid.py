# Released as dvp_fasterrcnn_swint_att_9x_cocopretrains (stpn_swint_adam_9x in
# vfe.pytorch).
_base_ = [
    '../../_base_/models/stpn_faster-rcnn_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_9e.py',
    '../../_base_/default_runtime.py',
]
