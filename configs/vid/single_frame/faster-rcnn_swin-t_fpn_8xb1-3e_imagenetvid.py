# Released as faster_rcnn_swint_fpn_3x_vid_adam (faster_rcnn_swint_fpn_3x in
# vfe.pytorch); its twin ..._adam_8gpus has twice the learning rate.
_base_ = [
    '../../_base_/models/faster-rcnn_swin-t_fpn_baseline.py',
    '../../_base_/datasets/imagenet_vid_single-frame.py',
    '../../_base_/schedules/adamw_3e_clip.py',
    '../../_base_/default_runtime.py',
]
