# Released as faster_rcnn_swint_vpt_fpn_3x_vid_freeze_bb: all of the backbone is frozen.
_base_ = ['./vpt-shallow_faster-rcnn_swin-t_fpn_8xb1-3e_imagenetvid.py']

model = dict(
    detector=dict(backbone=dict(frozen_stages=4)),
)
