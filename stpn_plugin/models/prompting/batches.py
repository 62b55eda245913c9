"""Batches of frames under test: one frame each, and frames of one size."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

import torch
from mmtrack.utils import SampleList
from torch import Tensor, nn

# As a data preprocessor returns it: `inputs` and `data_samples`.
Batch = Dict[str, Any]


def split_inputs(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Inputs of a batch, frame by frame.

    Args:
        inputs: Tensors (B, T, 3, H, W) or lists of B tensors (T, 3, H, W) by
            name; an entry of a list is None where a frame has none.

    Returns:
        For each frame tensors (1, T, 3, H, W), or lists of one.
    """
    return [
        {key: value[i : i + 1] for key, value in inputs.items() if value[i] is not None}
        for i in range(len(inputs['img']))
    ]


def preprocess_each(preprocessor: nn.Module, data: Batch) -> list[Batch]:
    """Preprocess frames as the data loader gives them, each by itself.

    So a frame's result does not depend on the frames that it shares a batch with.

    Args:
        preprocessor: Data preprocessor of the model.
        data: ``inputs`` and ``data_samples`` of B frames.

    Returns:
        B preprocessed batches of one frame.
    """
    return [
        preprocessor(dict(inputs=inputs, data_samples=[sample]), False)
        for inputs, sample in zip(split_inputs(data['inputs']), data['data_samples'])
    ]


def predict_by_size(
    predict: Callable[[list[int], dict[str, Tensor], SampleList], SampleList],
    frames: Sequence[Batch],
) -> SampleList:
    """Run frames of equal size together.

    Args:
        predict: Called with the indices of frames, their ``img``
            (B, 1, 3, H, W) as inputs and their samples; gives their results.
        frames: Preprocessed batches of one frame.

    Returns:
        Results in the order of ``frames``.
    """
    imgs = [frame['inputs']['img'] for frame in frames]
    samples = [frame['data_samples'][0] for frame in frames]
    results: SampleList = [None] * len(frames)
    for shape in dict.fromkeys(img.shape for img in imgs):
        picks = [i for i, img in enumerate(imgs) if img.shape == shape]
        inputs = dict(img=torch.cat([imgs[i] for i in picks]))
        found = predict(picks, inputs, [samples[i] for i in picks])
        for i, result in zip(picks, found):
            results[i] = result
    return results
