# Released as faster_rcnn_swins_predictvpt_fpn_6x_vid_adam: starts from ImageNet
# weights, learning rate reduced after epoch 4.
_base_ = [
    '../../_base_/models/stpn_faster-rcnn_swin-t_fpn.py',
    '../../_base_/models/swin-s_imagenet.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_6e.py',
    '../../_base_/default_runtime.py',
]

model = dict(detector=dict(backbone=_base_.swin_s))
