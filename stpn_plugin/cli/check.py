"""Find the faults of an annotation file, each with its video and frame.

The exit status is 1 if there are any.
"""

from __future__ import annotations

import json
import os.path as osp
from dataclasses import dataclass
from typing import Any, Iterator, Mapping

from mmengine.config import Config

from ..builders import load_config
from ..datasets.checks import Fault, find_faults
from ..utils import same_file, text_table, write_json
from .command import BaseOptions, Command, argument, flag, option
from .configs import config_overrides


@dataclass
class Options(BaseOptions):
    """What to check, and how it is to be used."""

    annotations: str = argument('annotation file, COCO with videos', metavar='ANN.json')
    config: str | None = option(
        'config with data sets of this file: it is checked for their use of it'
    )
    cfg_options: dict[str, Any] | None = config_overrides()
    stills: bool = flag('it is to be used as still images, not as videos')
    out: str | None = option('save the faults', metavar='FILE.json')


def run(options: Options) -> int:
    """Check; returns the exit status."""
    file = options.annotations
    content = read(file)
    uses: list[tuple[bool, tuple[str, ...]]] = [(not options.stills, ())]
    if options.config:
        cfg = load_config(options.config, options.cfg_options)
        uses = uses_of(cfg, file)
    faults = list(
        dict.fromkeys(
            fault for use in uses for fault in find_faults(content, file, *use)
        )
    )
    if options.out:
        write_json(options.out, [as_dict(fault) for fault in faults])
    if not faults:
        print(f'{file} has no faults')
        return 0
    rows = [('file', 'video', 'frame', 'fault')]
    rows += [(f.file, f.video or '', f.image or '', f.text) for f in faults]
    print(text_table(rows))
    for kind in dict.fromkeys(fault.kind for fault in faults):
        number = sum(fault.kind is kind for fault in faults)
        print(f'{number:,} x {kind.name}: {kind.value}')
    return 1


def read(file: str) -> Any:
    """Read a JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON.
    """
    with open(file, encoding='utf-8') as stream:
        try:
            return json.load(stream)
        except ValueError as error:
            raise ValueError(f'{file} is no JSON: {error}') from error


def uses_of(cfg: Config, file: str) -> list[tuple[bool, tuple[str, ...]]]:
    """How data sets of a config use an annotation file.

    Args:
        cfg: The config.
        file: The annotation file.

    Returns:
        Whether they take it as videos, and keys that they need of images.

    Raises:
        ValueError: None of them uses it.
    """
    found = []
    used = []
    for dataset in _datasets(cfg):
        used.append(osp.join(dataset.get('data_root') or '', dataset['ann_file']))
        if same_file(used[-1], file):
            keys = _image_keys(str(dataset.get('type')))
            found.append((dataset.get('load_as_video', True), keys))
    if not found:
        raise ValueError(
            f'no data set of {cfg.filename} has the annotation file {file}; theirs are '
            f'{", ".join(dict.fromkeys(used)) or "none"}'
        )
    return list(dict.fromkeys(found))


def _image_keys(dataset_type: str) -> tuple[str, ...]:
    name = dataset_type.split('.')[-1]
    return ('is_vid_train_frame',) if name == 'ImagenetVIDDataset' else ()


def _datasets(cfg: Config) -> Iterator[Mapping[str, Any]]:
    """The data sets of all phases, also those inside others."""
    with_others = [cfg.get(f'{phase}_dataloader') for phase in ('train', 'val', 'test')]
    while with_others:
        node = with_others.pop(0)
        if isinstance(node, (list, tuple)):
            with_others += node
        elif isinstance(node, Mapping):
            if node.get('ann_file'):
                yield node
            with_others += [node.get('dataset'), node.get('datasets')]


def as_dict(fault: Fault) -> dict[str, str | None]:
    """A fault as JSON has it."""
    kind = fault.kind
    fields = dict(fault._asdict(), kind=kind.name, remedy=kind.value)
    fields['frame'] = fields.pop('image')
    return fields


main = Command(__doc__, Options, run)
