"""STPN (Spatio-Temporal Prompting Network, ICCV 2023) for MMTracking 1.x.

Importing the package, as ``custom_imports = dict(imports=['stpn_plugin'])``
does, registers all its modules in mmtrack's scope of mmengine's registries.
"""

from . import openmp

openmp.use_passive_waiting()  # before anything imports torch

from . import compat  # noqa: E402

compat.apply()

from . import datasets, engine, evaluation, models  # noqa: E402
from .version import __version__  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models']
