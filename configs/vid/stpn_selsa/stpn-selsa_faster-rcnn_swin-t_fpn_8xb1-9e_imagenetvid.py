# Released as dvp_selsa_swint_att_9x_cocopretrains.
_base_ = [
    '../../_base_/models/stpn-selsa_faster-rcnn_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_stpn-selsa_style.py',
    '../../_base_/schedules/adamw_9e.py',
    '../../_base_/default_runtime.py',
]
