# Released as faster_rcnn_swinl_fpn_3x_vid.
_base_ = [
    './faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid.py',
    '../../_base_/models/swin-l_imagenet.py',
]

model = dict(
    detector=dict(
        backbone=_base_.swin_l,
        neck=dict(in_channels=_base_.swin_l_channels),
    ),
)
