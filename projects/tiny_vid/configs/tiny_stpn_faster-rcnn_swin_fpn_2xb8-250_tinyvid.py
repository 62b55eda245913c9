# Of `make demo`: shorter than the experiment's, to be done in minutes.
_base_ = ['./tiny_stpn_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py']

train_dataloader = dict(batch_size=8)

max_iters = 250
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
warmup, annealing = _base_.param_scheduler
annealing.update(end=max_iters, T_max=max_iters - annealing.begin)
param_scheduler = [warmup, annealing]
