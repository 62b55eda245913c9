# Released as faster_rcnn_swins_fpn_3x_vid.
_base_ = [
    './faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid.py',
    '../../_base_/models/swin-s_imagenet.py',
]

model = dict(detector=dict(backbone=_base_.swin_s))
