_base_ = ['mmtrack::_base_/default_runtime.py', './plugin.py']

# Stops when the heads or the checkpoint do not go with the classes of the dataset.
custom_hooks = [dict(type='ClassCheckHook')]

default_hooks = dict(
    # Whole files, from which `resume` goes on as if training had not stopped.
    checkpoint=dict(type='ResumableCheckpointHook'),
    # `load_from` may be a checkpoint for other classes: training starts from what fits.
    weights=dict(type='FitWeightsHook'),
    # `action='skip'` leaves an update out instead.
    finite_loss=dict(type='NonFiniteLossHook', action='stop'),
    launcher=dict(type='FollowLauncherHook'),
)

# Seconds that processes wait for each other, as for one that hangs. Others wait while
# the first one computes metrics.
env_cfg = dict(dist_cfg=dict(timeout=1800))

# `--auto-scale-lr` scales the learning rate linearly from 8 images an iteration.
auto_scale_lr = dict(enable=False, base_batch_size=8)

# Draws detections, to TensorBoard or Weights & Biases too with further backends beside
# LocalVisBackend (whose log the tools read):
# vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')].
visualizer = dict(type='DetLocalVisualizer')
