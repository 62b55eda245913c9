# Single-frame baseline. Data and schedule are those of STPN, so that it sees the same
# key frames and augmentations; it leaves the support frames unused.
_base_ = [
    '../../_base_/models/faster-rcnn_swin-t_fpn.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_9e.py',
    '../../_base_/default_runtime.py',
]
