# Ours: RetinaNet instead of Faster R-CNN; the authors released none.
_base_ = [
    '../../_base_/models/stpn_retinanet_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_9e.py',
    '../../_base_/default_runtime.py',
]
