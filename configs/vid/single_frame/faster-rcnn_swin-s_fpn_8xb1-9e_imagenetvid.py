# Ours: augmentation, start weights and schedule of STPN, so that nothing but the
# prompts differs. The released baseline trains for 3 epochs on images of 1000 x 600,
# from ImageNet weights.
_base_ = [
    './faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
    '../../_base_/models/swin-s_coco.py',
]

model = dict(detector=dict(backbone=_base_.swin_s))
