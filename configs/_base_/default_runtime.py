_base_ = ['mmtrack::_base_/default_runtime.py', './plugin.py']

# Stops when the heads or the checkpoint do not go with the classes of the dataset.
custom_hooks = [dict(type='ClassCheckHook')]

# `load_from` may be a checkpoint for other classes: training starts from what fits.
default_hooks = dict(weights=dict(type='FitWeightsHook'))

# `--auto-scale-lr` scales the learning rate linearly from 8 images an iteration.
auto_scale_lr = dict(enable=False, base_batch_size=8)

# Draws detections, to TensorBoard or Weights & Biases too with further backends beside
# LocalVisBackend (whose log the tools read):
# vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')].
visualizer = dict(type='DetLocalVisualizer')
