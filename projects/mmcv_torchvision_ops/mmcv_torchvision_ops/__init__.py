"""Operators of mmcv, computed by torch and torchvision.

One module for each family of operators, with the names, the arguments and the
conventions of mmcv's C++ extension; ``mmcv/_ext.py`` gathers them. They run on whatever
device their inputs are on. The conventions:

* results go into tensors the caller has allocated (``output``, ``grad_input``, ...);
* gradients are added to what these tensors hold;
* ``columns``, ``ones`` and ``im2col_step`` belong to the buffers of the compiled
  kernels and are ignored.

Half precision inputs are computed in float32 and rounded once, at the end, so that
coordinates keep their precision under autocast.
"""
