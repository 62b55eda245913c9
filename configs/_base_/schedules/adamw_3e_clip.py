# Of the authors' single-frame and static-prompt baselines.
_base_ = ['./adamw_3e.py']

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
