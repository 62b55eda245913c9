"""Checkpoints of one's own, stripped for publication."""

from __future__ import annotations

from ..builders import check_finite
from ..utils.files import refuse_overwriting_input
from ..version import __version__
from .checkpoint_file import read_checkpoint, write_checkpoint

_KEPT_META = ('cfg', 'dataset_meta', 'epoch', 'iter', 'mmengine_version')


def publish_checkpoint(source: str, target: str) -> str:
    """Strip a checkpoint of training state and name it after its content.

    Kept are the weights, the config's text, the data set's class names and the
    versions. Where training averaged the weights (``EMAHook``), mmengine's
    ``state_dict`` has the averaged ones, and those are published.

    Args:
        source: Path of a checkpoint that the Runner wrote.
        target: Path to write to; the first 8 digits of the file's SHA-256 are
            appended to its stem.

    Returns:
        Path of the written file.

    Raises:
        FileNotFoundError: There is no such source.
        ValueError: The source is no checkpoint, has weights that are no finite
            numbers, or is the target.
    """
    refuse_overwriting_input(source, target)
    checkpoint = read_checkpoint(source)
    check_finite(checkpoint.weights, source)
    meta = {key: checkpoint.meta[key] for key in _KEPT_META if key in checkpoint.meta}
    meta['stpn_plugin_version'] = __version__
    return write_checkpoint(target, checkpoint.weights, meta, True, source)
