"""Batches of frames that differ in what they bring."""

from __future__ import annotations

from typing import Any, Sequence

from mmengine.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_frames(batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Collate frames of videos under test, some with support frames, some without.

    mmengine's ``pseudo_collate`` takes the inputs that the first frame has for those
    of all, and so loses the support frames of others, or fails.

    Args:
        batch: Frames as ``PackTrackInputs`` packs them.

    Returns:
        ``inputs``, for each name a list with an entry a frame, None where the frame has
        none; and the list of ``data_samples``.
    """
    names = dict.fromkeys(name for frame in batch for name in frame['inputs'])
    return dict(
        inputs={name: [frame['inputs'].get(name) for frame in batch] for name in names},
        data_samples=[frame['data_samples'] for frame in batch],
    )
