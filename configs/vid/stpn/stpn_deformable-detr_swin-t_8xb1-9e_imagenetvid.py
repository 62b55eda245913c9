# Ours: Deformable DETR instead of Faster R-CNN, with the gradient clipping that it
# usually has; the authors released none.
_base_ = [
    '../../_base_/models/stpn_deformable-detr_swin-t.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_9e.py',
    '../../_base_/default_runtime.py',
]

optim_wrapper = dict(clip_grad=dict(max_norm=0.1, norm_type=2))
