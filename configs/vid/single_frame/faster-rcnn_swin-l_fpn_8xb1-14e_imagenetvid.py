# Ours: the released baseline with Swin-L trains for 3 epochs on images of 1000 x 600.
# This one has augmentation and schedule of STPN, and starts from the same ImageNet
# weights: there are no public COCO weights of this size and window.
_base_ = [
    './faster-rcnn_swin-b_fpn_8xb1-14e_imagenetvid.py',
    '../../_base_/models/swin-l_imagenet.py',
]

model = dict(
    detector=dict(
        backbone=_base_.swin_l,
        neck=dict(in_channels=_base_.swin_l_channels),
    ),
)
