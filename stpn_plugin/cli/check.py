"""Find the faults of a data set, each with its file, video and frame.

The exit status is 1 if there are any. With --images each image is read, too.
"""

from __future__ import annotations

import os
import os.path as osp
import signal
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from mmengine.config import Config
from mmtrack.datasets import MOTChallengeDataset
from mmtrack.registry import DATASETS

from ..builders import load_config, scope_of
from ..datasets.checks import (
    Fault,
    FaultKind,
    clean,
    find_faults,
    find_image_faults,
    find_oddities,
)
from ..utils import (
    ProgressBar,
    category_ids,
    check_writable,
    classes_in,
    read_json,
    same_file,
    text_table,
    write_json,
)
from .command import BaseOptions, Command, argument, flag, option
from .configs import config_overrides
from .values import positive

_MOST_ROWS = 1000  # that a terminal shows; the JSON file has all


@dataclass
class Options(BaseOptions):
    """What to check, and how it is to be used."""

    annotations: str = argument('annotation file, COCO with videos', metavar='ANN.json')
    images: str | None = option('folder of its images: read all of them', metavar='DIR')
    config: str | None = option(
        'config with data sets of this file: it is checked for their use of it, and '
        'for their classes'
    )
    cfg_options: dict[str, Any] | None = config_overrides()
    stills: bool = flag('it is to be used as still images, not as videos')
    jobs: int = option(
        'number of processes that read images, default: one a CPU',
        default=os.cpu_count() or 1,
        flags=('-j', '--jobs'),
        type=positive,
    )
    json: str | None = option(
        'save the faults', flags=('--json', '--out'), metavar='FILE.json', output=True
    )
    fix: str | None = option(
        'write a copy without the faults: what has one is removed, and told',
        metavar='FILE.json',
        output=True,
    )


class Use(NamedTuple):
    """How a data set uses an annotation file.

    Attributes:
        as_video: Whether it takes it as videos.
        image_keys: Keys that it needs of images.
        classes: Its classes, if it has a list of its own.
    """

    as_video: bool = True
    image_keys: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None


def run(options: Options) -> int:
    """Check; returns the exit status."""
    signal.signal(signal.SIGTERM, _stop)
    file = options.annotations
    for path in (options.json, options.fix):
        if path:
            check_writable(path)
    if options.images and not osp.isdir(options.images):
        raise NotADirectoryError(f'there is no folder {options.images} of images')
    content = read_json(file)
    uses = [Use(not options.stills)]
    if options.config:
        uses = uses_of(load_config(options.config, options.cfg_options), file)
    faults = find(content, file, uses)
    if options.images and FaultKind.NOT_COCO not in {fault.kind for fault in faults}:
        as_video = any(use.as_video for use in uses)
        with ProgressBar(total=len(content['images']), unit='image') as bar:
            faults += find_image_faults(
                content, file, options.images, as_video, options.jobs, bar.update
            )
    if options.json:
        write_json(options.json, [as_dict(fault) for fault in faults])
    if not faults:
        print(f'{file} has no faults')
    else:
        show(faults)
    if options.fix:
        write_fixed(options.fix, content, file, faults, uses)
    return int(bool(faults))


def _stop(*args: Any) -> None:
    """End as Ctrl-C does, so that processes and files are cleared away."""
    raise KeyboardInterrupt('stopped by SIGTERM')


def find(content: Any, file: str, uses: Sequence[Use]) -> list[Fault]:
    """Find the faults of a file for some uses of it, each once."""
    faults: list[Fault] = []
    for use in uses:
        faults += find_faults(content, file, use.as_video, use.image_keys)
    if not any(fault.kind is FaultKind.NOT_COCO for fault in faults):
        for use in uses:
            faults += find_oddities(content, file, use.as_video)
            faults += _class_faults(content, file, use.classes)
    return list(dict.fromkeys(faults))


def _class_faults(
    content: Mapping[str, Any], file: str, classes: tuple[str, ...] | None
) -> Iterator[Fault]:
    """Tell whether the classes of a data set are not those of the file."""
    if classes is None:
        return
    named = [c for c in content.get('categories', []) if {'id', 'name'} <= c.keys()]
    if classes == MOTChallengeDataset.METAINFO['CLASSES']:
        # Its files of pedestrians alone are used with all of them.
        classes = tuple(set(classes) & {category['name'] for category in named})
    try:
        category_ids(named, classes, file)
    except ValueError as error:
        text = str(error).split('\n')[0].replace(f'{file} ', 'it ')
        yield Fault(FaultKind.CLASSES, text, file)


def show(faults: Sequence[Fault]) -> None:
    """Print a table of faults, and what to do about their kinds."""
    rows = [('file', 'video', 'frame', 'fault')]
    rows += [
        (f.file, f.video or '', f.image or '', f.text) for f in faults[:_MOST_ROWS]
    ]
    print(text_table(rows))
    if len(faults) > _MOST_ROWS:
        print(f'... and {len(faults) - _MOST_ROWS:,} more, which --json saves')
    for kind in dict.fromkeys(fault.kind for fault in faults):
        number = sum(fault.kind is kind for fault in faults)
        print(f'{number:,} x {kind.name}: {kind.value}')


def write_fixed(
    path: str, content: Any, file: str, faults: Sequence[Fault], uses: Sequence[Use]
) -> None:
    """Write a copy without faults, and tell what was changed.

    Raises:
        ValueError: No image of the file is without faults.
    """
    as_video = any(use.as_video for use in uses)
    fixed = clean(content, faults, lambda copy: find(copy, file, uses), as_video)
    if any(fault.kind is FaultKind.NOT_COCO for fault in fixed.left):
        raise ValueError(
            f'{path} is not written: without what has faults, {file} has no images, or '
            'is none of COCO at all'
        )
    write_json(path, fixed.content, indent=None)
    for change in fixed.changes:
        print(change)
    print(f'{len(fixed.changes):,} changes; {path} is the copy')
    if fixed.left:
        print(f'{len(fixed.left):,} faults are left, which are for you to mend:')
        show(fixed.left)


def uses_of(cfg: Config, file: str) -> list[Use]:
    """How data sets of a config use an annotation file.

    Args:
        cfg: The config.
        file: The annotation file.

    Returns:
        Each use of it, once.

    Raises:
        ValueError: None of them uses it.
    """
    found = []
    used = []
    for dataset in _datasets(cfg):
        used.append(osp.join(dataset.get('data_root') or '', dataset['ann_file']))
        if same_file(used[-1], file):
            with scope_of(cfg):
                metainfo = DATASETS.build({**dataset, 'lazy_init': True}).metainfo
            keys = _image_keys(str(dataset.get('type')))
            as_video = dataset.get('load_as_video', True)
            found.append(Use(as_video, keys, classes_in(metainfo)))
    if not found:
        raise ValueError(
            f'no data set of {cfg.filename} has the annotation file {file}; theirs are '
            f'{", ".join(dict.fromkeys(used)) or "none"}'
        )
    return list(dict.fromkeys(found))


def _image_keys(dataset_type: str) -> tuple[str, ...]:
    name = dataset_type.split('.')[-1]
    return ('is_vid_train_frame',) if name.endswith('ImagenetVIDDataset') else ()


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
    return dict(
        kind=fault.kind.name,
        text=fault.text,
        file=fault.file,
        video=fault.video,
        frame=fault.image,
        remedy=fault.kind.value,
    )


main = Command(__doc__, Options, run)
