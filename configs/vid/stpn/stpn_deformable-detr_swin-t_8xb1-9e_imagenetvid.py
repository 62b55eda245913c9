_base_ = [
    '../../_base_/models/stpn_deformable-detr_swin-t.py',
    '../../_base_/datasets/imagenet_vid_stpn_style.py',
    '../../_base_/schedules/adamw_9e.py',
    '../../_base_/default_runtime.py',
]

# As usual for Deformable DETR.
optim_wrapper = dict(clip_grad=dict(max_norm=0.1, norm_type=2))
