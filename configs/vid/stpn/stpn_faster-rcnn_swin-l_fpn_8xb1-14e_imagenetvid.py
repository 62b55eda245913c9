# Ours: STPN was released up to Swin-B. Longer schedule of Swin-B; starts from ImageNet
# weights: there are no public COCO weights of this size and window.
_base_ = [
    './stpn_faster-rcnn_swin-b_fpn_8xb1-14e_imagenetvid.py',
    '../../_base_/models/swin-l_imagenet.py',
]

model = dict(
    detector=dict(
        backbone=_base_.swin_l,
        neck=dict(in_channels=_base_.swin_l_channels),
    ),
)
