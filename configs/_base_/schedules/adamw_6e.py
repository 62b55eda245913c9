_base_ = ['./adamw_9e.py']

train_cfg = dict(max_epochs=6, val_interval=6)

param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=6, milestones=[4], gamma=0.1),
]
