# Released as dvp_fasterrcnn_swinb_att_14x_cocopretrains: learning rate reduced after
# epoch 8.
_base_ = [
    '../../_base_/models/stpn_faster-rcnn_swin-t_fpn.py',
    '../../_base_/models/swin-b_coco.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_14e.py',
    '../../_base_/default_runtime.py',
]

model = dict(
    detector=dict(
        backbone=_base_.swin_b,
        neck=dict(in_channels=_base_.swin_b_channels),
    ),
)
