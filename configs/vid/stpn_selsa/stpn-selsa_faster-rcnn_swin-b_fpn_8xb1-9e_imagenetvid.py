# Released as dvp_selsa_swinb_att_9x_cocopretrains.
_base_ = [
    './stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
    '../../_base_/models/swin-b_coco.py',
]

model = dict(
    detector=dict(
        backbone=_base_.swin_b,
        neck=dict(in_channels=_base_.swin_b_channels),
    ),
)
