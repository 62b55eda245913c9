_base_ = ['../../../../configs/_base_/default_runtime.py']

default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(by_epoch=False, interval=1000)
)
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(base_batch_size=16)

# The same run gives the same weights, on the same machine and number of threads.
randomness = dict(seed=0)
