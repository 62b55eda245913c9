"""Checkpoint files: from others' releases, and for one's own."""

from .checkpoint_file import Checkpoint, read_checkpoint, write_checkpoint
from .convert import (
    Conversion,
    convert_checkpoint,
    convert_weights,
)
from .model_folder import publish_folder
from .names import rename
from .publish import publish_checkpoint

__all__ = [
    'Checkpoint',
    'Conversion',
    'convert_checkpoint',
    'convert_weights',
    'publish_checkpoint',
    'publish_folder',
    'read_checkpoint',
    'rename',
    'write_checkpoint',
]
