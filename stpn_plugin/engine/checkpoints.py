"""Checkpoints of a work dir: written whole, and found again.

A checkpoint is written under a temporary name and flushed to the disk before it takes
its name; ``last_checkpoint`` names it afterwards. ``torch.save`` has a CRC-32 of all it
writes, by which :func:`find_checkpoint` tells what is whole, also of checkpoints that
mmengine's own hook wrote.
"""

from __future__ import annotations

import logging
import os
import os.path as osp
import re
from pathlib import Path
from typing import Any, Mapping, NamedTuple

from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import print_log

from ..builders import check_finite, check_training_state
from ..utils.checkpoint_loading import check_whole, load_checkpoint_file
from ..utils.files import whole_binary, whole_text

POINTER = 'last_checkpoint'
#: Beside the schedule: of a training that was stopped, or is about to validate.
INTERIM = 'interim.pth'
BACKEND = 'whole_files'
_NUMBERED = re.compile(r'(.*)(epoch|iter)_(\d+)\.pth')


@register_backend(BACKEND, force=True)
class WholeFileBackend(LocalBackend):
    """Files of this machine that are written whole or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file.

        Args:
            obj: Its content.
            filepath: Its path. Missing folders are made.

        Raises:
            OSError: It cannot be written; the message names it.
        """
        with whole_binary(filepath) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write a text file, see :meth:`put`."""
        self.put(obj.encode(encoding), filepath)


def point_to(checkpoint: str, work_dir: str) -> None:
    """Name the last checkpoint of a work dir, where mmengine looks for it.

    Args:
        checkpoint: Its path; its absolute path is written, which is good from any
            folder. After a move, its name counts, see :func:`find_checkpoint`.
        work_dir: The work dir.
    """
    with whole_text(osp.join(work_dir, POINTER)) as file:
        file.write(osp.abspath(checkpoint))


def checkpoint_dir(cfg: Config) -> str:
    """The folder to which the training of a config writes its checkpoints."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    out_dir = hook.get('out_dir')
    if out_dir is None:
        return cfg.work_dir
    return osp.join(out_dir, osp.basename(cfg.work_dir.rstrip(osp.sep)))


class _Saved(NamedTuple):
    path: str
    iteration: int


def find_checkpoint(folder: str, work_dir: str | None = None) -> str | None:
    """Find the newest checkpoint from which a training can go on.

    That is the one that ``last_checkpoint`` names, unless one that was written later is
    whole that it does not name yet. If it names none that is whole, the most iterations
    count: copying may change the times of files. What is skipped is logged, and why.

    Args:
        folder: Where the checkpoints are.
        work_dir: Where ``last_checkpoint`` is. Defaults to ``folder``.

    Returns:
        Its path. None if there are no checkpoints at all.

    Raises:
        ValueError: None of the checkpoints will do. Training must not start over
            among them.
    """
    names = [name for name in _listed(folder) if _is_checkpoint(name)]
    skipped: list[str] = []
    named = _named(folder, work_dir or folder)
    best = _read(named, skipped) if named else None
    written = {name: osp.getmtime(osp.join(folder, name)) for name in names}
    at_pointer = written.pop(osp.basename(named), 0.0) if named else 0.0
    if best is not None:  # what was written before, maybe by another training, is old
        written = {name: time for name, time in written.items() if time > at_pointer}
    for kind in _newest_first(written):
        found = (_read(osp.join(folder, name), skipped) for name in kind)
        saved = next(filter(None, found), None)  # the others of its kind are older
        if saved and (best is None or saved.iteration > best.iteration):
            best = saved
    if best is None and skipped:
        raise ValueError(
            f'there is no checkpoint in {folder} from which training can go on: '
            f'{"; ".join(skipped)}. To start over, leave --resume out; to start from '
            'weights, set "load_from"'
        )
    for reason in skipped:
        print_log(f'Skipped: {reason}', logger='current', level=logging.WARNING)
    return best.path if best else None


def _listed(folder: str) -> list[str]:
    return os.listdir(folder) if osp.isdir(folder) else []


def _is_checkpoint(name: str) -> bool:
    return name.endswith('.pth') and not name.startswith('.')


def _newest_first(written: Mapping[str, float]) -> list[list[str]]:
    """Checkpoints whose names tell their order; one that tells nothing is alone.

    Args:
        written: Times of the files, by their names. They count between equals.

    Returns:
        Names that count epochs, those that count iterations, and each other name.
    """
    kinds: dict[str, list[tuple[int, bool, str]]] = {}
    for name in sorted(written, key=lambda name: (written[name], name), reverse=True):
        match = _NUMBERED.fullmatch(name)
        kind, number = (match[2], int(match[3])) if match else (name, 0)
        # The best ones, which have more before the number, lack what training needs.
        is_plain = match is not None and not match[1]
        kinds.setdefault(kind, []).append((number, is_plain, name))
    return [
        [name for *_, name in sorted(some, key=lambda item: item[:2], reverse=True)]
        for some in kinds.values()
    ]


def _named(folder: str, work_dir: str) -> str | None:
    """The checkpoint that the pointer names, by its name: the folder may have moved."""
    try:
        with open(osp.join(work_dir, POINTER), encoding='utf-8') as file:
            name = osp.basename(file.read().strip())
    except (OSError, UnicodeDecodeError):
        return None
    path = osp.join(folder, name)
    return path if _is_checkpoint(name) and osp.isfile(path) else None


def _read(path: str, skipped: list[str]) -> _Saved | None:
    """What is needed of a checkpoint; None, and why in ``skipped``, if it won't do."""
    try:
        check_whole(path)
        checkpoint = load_checkpoint_file(path, 'cpu')
        check_resumable(checkpoint, path)
    except (OSError, ValueError) as error:
        skipped.append(str(error))
        return None
    return _Saved(path, int(checkpoint['meta']['iter']))


def check_resumable(checkpoint: Any, name: str) -> None:
    """Raise a ValueError unless training can go on from a checkpoint.

    Args:
        checkpoint: What was in the file.
        name: What to call it in the error.
    """
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{name} holds no checkpoint')
    check_training_state(checkpoint, name)
    check_finite(checkpoint.get('state_dict') or {}, name)
    if not isinstance(checkpoint['meta'], dict) or 'iter' not in checkpoint['meta']:
        raise ValueError(f'{name} does not tell its iteration')
