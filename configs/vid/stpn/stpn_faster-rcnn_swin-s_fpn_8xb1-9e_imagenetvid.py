# Ours: recipe of Swin-T, with COCO weights of mmdet and the drop path of their
# training. The Swin-S of the authors' first repository trains for 6 epochs from
# ImageNet weights.
_base_ = [
    './stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
    '../../_base_/models/swin-s_coco.py',
]

model = dict(detector=dict(backbone=_base_.swin_s))
