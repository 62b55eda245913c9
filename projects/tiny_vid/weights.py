"""Weights of the demo's single-frame detector, as files of arrays.

What the first two stages of the demo make (:mod:`projects.tiny_vid.make_weights`), so
that ``make demo`` can begin with the third. They are in half precision, in files of a
size that does a repository no harm, and reading them runs no code.

Example:
    $ python -m projects.tiny_vid.weights detector.pth
"""

from __future__ import annotations

import argparse
import os
import os.path as osp
from glob import escape, glob
from typing import Sequence

import numpy as np
import torch

from stpn_plugin.utils import whole_binary
from stpn_plugin.weights import read_checkpoint, write_checkpoint

FOLDER = osp.join(osp.dirname(osp.abspath(__file__)), 'pretrained')
CLASSES = 'classes'  # beside the weights: names in the order of the labels
MAX_BYTES = 5 * 10**6 // 2  # of a file, before compression


def pack(checkpoint: str, folder: str = FOLDER) -> list[str]:
    """Write the weights of a checkpoint as files ``detector_<number>.npz``.

    Args:
        checkpoint: Checkpoint of mmengine's runner.
        folder: Where to write, in place of what was there. Defaults to where the demo
            reads.

    Returns:
        The files.
    """
    weights, meta, _ = read_checkpoint(checkpoint)
    parts: list[dict[str, np.ndarray]] = [
        {CLASSES: np.array(meta['dataset_meta']['CLASSES'])}
    ]
    for name, weight in weights.items():
        array = weight.numpy()
        if weight.is_floating_point():
            array = array.astype(np.float16)
        if sum(a.nbytes for a in parts[-1].values()) + array.nbytes > MAX_BYTES:
            parts.append({})
        parts[-1][name] = array
    for path in _files(folder):
        os.remove(path)
    paths = [osp.join(folder, f'detector_{i}.npz') for i in range(len(parts))]
    for path, part in zip(paths, parts):
        with whole_binary(path) as file:
            np.savez_compressed(file, **part)
    return paths


def unpack(checkpoint: str, folder: str = FOLDER) -> None:
    """Write a checkpoint, with weights in single precision, from packed weights.

    Args:
        checkpoint: File to write.
        folder: What :func:`pack` wrote. Defaults to what is in the repository.

    Raises:
        FileNotFoundError: The folder has no weights.
    """
    paths = _files(folder)
    if not paths:
        raise FileNotFoundError(
            f'{folder} has no detector_*.npz; python -m projects.tiny_vid.make_weights '
            'makes them'
        )
    arrays: dict[str, np.ndarray] = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as part:
            arrays.update(part)
    classes = tuple(arrays.pop(CLASSES).tolist())
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    weights = {
        name: weight.float() if weight.is_floating_point() else weight
        for name, weight in weights.items()
    }
    write_checkpoint(checkpoint, weights, dict(dataset_meta=dict(CLASSES=classes)))


def _files(folder: str) -> list[str]:
    return sorted(glob(osp.join(escape(folder), 'detector_*.npz')))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.tiny_vid.weights',
        description='Write the weights in the repository as a checkpoint.',
    )
    parser.add_argument('checkpoint', help='file to write')
    unpack(parser.parse_args(argv).checkpoint)


if __name__ == '__main__':
    main()
