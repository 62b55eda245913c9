_base_ = ['./adamw_9e.py']

train_cfg = dict(max_epochs=14, val_interval=14)

param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=14, milestones=[8], gamma=0.1),
]
