"""Weights of the demo's single-frame detector, in the format safetensors.

What the first two stages of the demo make (:mod:`projects.tiny_vid.make_weights`), so
that ``make demo`` can begin with the third. They are in half precision, in files of a
size that does a repository no harm, and reading them runs no code.

Example:
    $ python -m projects.tiny_vid.weights detector.pth
"""

from __future__ import annotations

import argparse
import json
import os
import os.path as osp
from glob import escape, glob
from typing import Sequence

from stpn_plugin.utils.safetensors_files import (
    INDEX_SUFFIX,
    read_safetensors_checkpoint,
    write_safetensors_parts,
)
from stpn_plugin.weights import read_checkpoint, write_checkpoint

FOLDER = osp.join(osp.dirname(osp.abspath(__file__)), 'pretrained')
STEM = 'detector'
MAX_BYTES = 5 * 10**6 // 2  # of a file


def pack(checkpoint: str, folder: str = FOLDER) -> list[str]:
    """Write the weights of a checkpoint as safetensors files with an index.

    Args:
        checkpoint: Checkpoint of mmengine's runner.
        folder: Where to write, in place of what was there. Defaults to where the demo
            reads.

    Returns:
        The files of weights.
    """
    weights, meta, _ = read_checkpoint(checkpoint)
    halves = {
        name: weight.half() if weight.is_floating_point() else weight
        for name, weight in weights.items()
    }
    classes = json.dumps(list(meta['dataset_meta']['CLASSES']))
    stem = osp.join(folder, STEM)
    for path in glob(f'{escape(stem)}*.safetensors*'):
        os.remove(path)
    names, _ = write_safetensors_parts(stem, halves, dict(classes=classes), MAX_BYTES)
    return [osp.join(folder, name) for name in names]


def unpack(checkpoint: str, folder: str = FOLDER) -> None:
    """Write a checkpoint, with weights in single precision, from packed weights.

    Args:
        checkpoint: File to write.
        folder: What :func:`pack` wrote. Defaults to what is in the repository.

    Raises:
        FileNotFoundError: The folder has no weights.
    """
    index = osp.join(folder, STEM + INDEX_SUFFIX)
    if not osp.isfile(index):
        raise FileNotFoundError(
            f'{index} is missing; python -m projects.tiny_vid.make_weights makes it'
        )
    packed = read_safetensors_checkpoint(index)
    weights = {
        name: weight.float() if weight.is_floating_point() else weight
        for name, weight in packed['state_dict'].items()
    }
    write_checkpoint(checkpoint, weights, packed['meta'])


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
