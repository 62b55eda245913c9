# Second stage of the demo: a schedule short enough for `make demo`.
_base_ = ['./tiny_stpn_faster-rcnn_swin_fpn_1xb16-1k_tinyvid.py']

max_iters = 600

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=50,
        end=max_iters,
        T_max=max_iters - 50,
        eta_min=1e-5,
    ),
]
