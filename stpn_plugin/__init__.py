"""STPN (Spatio-Temporal Prompting Network, ICCV 2023) for MMTracking 1.x."""

from . import compat

compat.apply()

from .version import __version__  # noqa: E402

__all__ = ['__version__']
