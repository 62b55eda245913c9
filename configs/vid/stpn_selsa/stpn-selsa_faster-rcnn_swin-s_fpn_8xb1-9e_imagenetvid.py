# Ours: recipe of Swin-T, with COCO weights of mmdet and the drop path of their
# training. With SELSA, STPN was released with Swin-T and Swin-B.
_base_ = [
    './stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
    '../../_base_/models/swin-s_coco.py',
]

model = dict(detector=dict(backbone=_base_.swin_s))
