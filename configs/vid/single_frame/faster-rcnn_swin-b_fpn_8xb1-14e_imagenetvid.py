# Ours: augmentation, start weights and schedule of STPN, so that nothing but the
# prompts differs. The released baseline trains for 3 epochs on images of 1000 x 600,
# from ImageNet weights.
_base_ = [
    '../../_base_/models/faster-rcnn_swin-t_fpn.py',
    '../../_base_/models/swin-b_coco.py',
    '../../_base_/datasets/imagenet_vid_single-frame_multi-scale.py',
    '../../_base_/schedules/adamw_14e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    detector=dict(
        backbone=_base_.swin_b,
        neck=dict(in_channels=_base_.swin_b_channels),
    ),
)
