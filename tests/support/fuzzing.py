"""Foreign files and command lines, mutated at random, and what reads them.

A *target* has a few whole inputs, ways to spoil them, and a reader. A reader may take
an input, or refuse it with an error that names the file. Anything else is a finding:
another error, a process started, a file written, too much memory or time.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import pickle
import random
import resource
import signal
import sys
import tempfile
import traceback
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Sequence

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from scipy.io import savemat

import stpn_command
from stpn_plugin.cli import check
from stpn_plugin.cli.command import Command
from stpn_plugin.datasets.checks import clean
from stpn_plugin.datasets.converters.ilsvrc_lists import (
    read_det_images,
    read_train_videos,
    read_val_videos,
)
from stpn_plugin.datasets.converters.ilsvrc_xml import fit_boxes, read_annotation
from stpn_plugin.evaluation import load_motion_iou_mat, load_results
from stpn_plugin.evaluation.ground_truth import load_vid_ground_truth
from stpn_plugin.evaluation.prediction_files import write_predictions
from stpn_plugin.utils import leads_out, read_json
from stpn_plugin.utils.checkpoint_loading import load_checkpoint_file
from stpn_plugin.utils.torch_files import read_torch_file
from stpn_plugin.visualization import load_curves
from tests.support import malicious
from tests.support.ilsvrc_layout import AIRPLANE, obj, write_xml
from tests.support.vid_data import CLASSES, make_predictions, write_cocovid

#: What one input may take.
SECONDS, MEGABYTES = 10, 1500

#: Events that no reader of data may cause.
_FORBIDDEN = (
    'os.exec',
    'os.fork',
    'os.posix_spawn',
    'os.remove',
    'os.rename',
    'os.spawn',
    'os.system',
    'pty.spawn',
    'shutil.rmtree',
    'socket.connect',
    'subprocess.Popen',
)


class Finding(NamedTuple):
    """An input that a reader did not stand.

    Attributes:
        target: Name of the target.
        number: Number of the input.
        error: What happened.
    """

    target: str
    number: int
    error: str


@dataclass(frozen=True)
class Target:
    """Something that reads foreign input.

    Attributes:
        name: What it reads.
        inputs: Whole inputs.
        read: Reads the file with the input.
        tokens: Pieces that mean something in such inputs.
        packed: Puts a mutated input into its container, if it has one.
    """

    name: str
    inputs: Sequence[bytes]
    read: Callable[[str], Any]
    tokens: Sequence[bytes]
    packed: Callable[[bytes, random.Random], bytes] = lambda content, rng: content


class Overrun(BaseException):
    """An input took too long. No reader may catch it."""


def fuzz(target: Target, seed: int, start: int, count: int) -> list[Finding]:
    """Give a target some of its mutated inputs, which depend on their number alone.

    Args:
        target: The target.
        seed: Another seed, other inputs.
        start: Number of the first input.
        count: How many.

    Returns:
        What was found.
    """
    findings = []
    with tempfile.TemporaryDirectory(
        dir=_memory_folder()
    ) as folder, _watched() as seen:
        path = os.path.join(folder, f'{target.name}.bin')
        for index in range(start, start + count):
            rng = random.Random(f'{target.name} {seed} {index}')
            content = target.packed(mutate(target, rng), rng)
            with open(path, 'wb') as file:
                file.write(content)
            error = _attempt(target, path, seen)
            left = set(os.listdir(folder)) - {os.path.basename(path), _ROOT}
            if error is None and left:
                error = f'it left files: {left}'
            if error is not None:
                findings.append(Finding(target.name, index, error))
    return findings


def _attempt(target: Target, path: str, seen: list[str]) -> str | None:
    """Read an input; what is wrong with the way it ended, if anything."""
    error = None
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        target.read(path)
    except (OSError, ValueError) as refusal:
        text = str(refusal)
        if os.path.dirname(path) not in text and path not in text:
            error = f'{_last_frame(refusal)} names no file: {refusal!r:.300}'
    except SystemExit as end:
        if end.code not in (0, 2):
            error = f'it ended with status {end.code}'
    except Overrun:
        error = f'it took more than {SECONDS} s'
    except BaseException as foreign:
        error = f'{_last_frame(foreign)}: {foreign!r:.300}'
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if seen:
        error = f'it caused {seen}'
        seen.clear()
    return error


def _last_frame(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f'{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}'


_ROOT = 'root'  # a folder that a target may have beside its input
_SEEN: list[str] = []
_HOOKED: list[bool] = []


def _audit(event: str, args: Any) -> None:
    if _HOOKED and _HOOKED[-1] and event.startswith(_FORBIDDEN):
        _SEEN.append(event)


@contextlib.contextmanager
def _watched() -> Iterator[list[str]]:
    """Bound memory and time, and note what no reader may do."""
    if not _HOOKED:
        sys.addaudithook(_audit)  # for good: there is no way to remove it
    _HOOKED.append(True)

    def stop(*args: Any) -> None:
        raise Overrun

    before = signal.signal(signal.SIGALRM, stop)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open('/proc/self/statm') as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEGABYTES * 2**20, limits[1]))
    try:
        yield _SEEN
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, before)
        _HOOKED[-1] = False


def _memory_folder() -> str | None:
    return '/dev/shm' if os.access('/dev/shm', os.W_OK) else None


# --- mutation

_TOKENS = (
    *(b'', b'\0', b'\xff' * 4, b'\x80', b'-1', b'0', b'1e9', b'1e999', b'NaN', b'null'),
    *(b'9' * 400, b'9' * 4000, b'9' * 5000, b'../../../etc/passwd', b'/dev/zero'),
    *(b'\xff\xff\xff\x7f', b'\0\0\0\x80', b'\xff' * 8, b'a' * 70_000, b'\n', b'  '),
)


def mutate(target: Target, rng: random.Random) -> bytes:
    """One of the inputs of a target, with one to eight changes; never one of them."""
    while True:
        seed = rng.choice(target.inputs)
        content = _mutate_json(seed, rng) if rng.random() < 0.2 else None
        if content is None:
            content = _mutate_bytes(seed, target, rng)
        if content not in target.inputs:
            return content


def _mutate_bytes(seed: bytes, target: Target, rng: random.Random) -> bytes:
    content = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        length = len(content)
        place = rng.randrange(length + 1)
        size = min(rng.choice((1, 1, 2, 4, 8, 64)), length - place)
        kind = rng.randrange(8)
        if kind == 0 and place < length:
            content[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and place < length:
            content[place] = rng.randrange(256)
        elif kind == 2:
            del content[place : place + size]
        elif kind == 3:
            content[place:place] = content[place : place + size] * rng.randrange(1, 4)
        elif kind == 4:
            content[place : place + size] = rng.choice(_TOKENS)
        elif kind == 5 and target.tokens:
            content[place : place + size] = rng.choice(target.tokens)
        elif kind == 6:
            other = rng.choice(target.inputs)
            start = rng.randrange(len(other) + 1)
            content[place:] = other[start:]
        elif kind == 7 and rng.random() < 0.3:
            del content[place:]
    return bytes(content)


_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 10**4000, 0.5, 1e308),
    *(float('nan'), float('inf'), '', 'a', '1', '\0', '../x', 'a' * 5000, '\ud800'),
    *([], {}, [1], [[]], {'id': 1}, [None] * 4),
)


def _mutate_json(seed: bytes, rng: random.Random) -> bytes | None:
    """JSON with values, keys or entries changed, which bytes rarely are as a whole.

    None if the input is no JSON.
    """
    try:
        root = json.loads(seed)
    except ValueError:
        return None
    for _ in range(rng.choice((1, 1, 2, 4))):
        node = root
        while isinstance(node, (dict, list)) and node:
            keys = list(node) if isinstance(node, dict) else range(len(node))
            key = rng.choice(keys)
            if isinstance(node[key], (dict, list)) and rng.random() < 0.85:
                node = node[key]
                continue
            kind = rng.randrange(4)
            if kind == 0 and isinstance(node, dict):
                del node[key]
            elif kind == 1 and isinstance(node, list):
                node.append(copy.deepcopy(node[key]))
            else:  # a copy: what is put in may be changed next
                node[key] = copy.deepcopy(rng.choice(_VALUES))
            break
    return json.dumps(root).encode('utf-8', 'surrogatepass')


# --- targets


def targets(folder: Path) -> dict[str, Target]:
    """All targets, by name.

    Args:
        folder: Where to make their whole inputs.
    """
    made = (
        _xml(folder),
        _lists(),
        _cocovid(folder),
        *_checkpoints(folder),
        *_results(folder),
        _mat(folder),
        _logs(),
        _options(),
    )
    return {target.name: target for target in made}


def _xml(folder: Path) -> Target:
    objects = [obj(AIRPLANE, (8, 8, 40, 40), track=0), obj('n00007846', (1, 2, 3, 4))]
    whole = write_xml(folder, 'a', objects).read_bytes()
    entity = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]>' + whole

    def read(path: str) -> None:
        problems: list = []
        annotation = read_annotation(path, None, True, problems)
        if annotation is not None and annotation.size is not None:
            fit_boxes(annotation.boxes, annotation.size, path, problems)
            for box in annotation.boxes:
                assert all(abs(value) < 10**8 for value in box.xyxy)
        for problem in problems:
            assert path in str(problem)

    tags = b'size width height object trackid name bndbox xmin ymax occluded'.split()
    tokens = [b'<%s>' % tag for tag in tags] + [b'</%s>' % tag for tag in tags]
    tokens += [b'&x;', b'<!ENTITY a "', b'&lt;', b'<![CDATA[', b'-->', b'encoding="x"']
    return Target('xml', [whole, entity], read, tokens)


def _lists() -> Target:
    train = b''.join(b'train/a 1 %d 30\n' % i for i in range(1, 6))
    val = b'val/b 1 1 40\nval/c 1 1 3\n'
    det = b'train/n0/x 1\ntrain/n0/y 1\n'

    def read(path: str) -> None:
        # The lists have fixed names in a folder: they are links to the input.
        root = os.path.join(os.path.dirname(path), _ROOT)
        lists = os.path.join(root, 'ImageSets')
        if not os.path.exists(lists):
            os.makedirs(lists)
            for name in ('VID_train_15frames', 'VID_val_videos', 'DET_train_30classes'):
                os.link(path, os.path.join(lists, f'{name}.txt'))
        for function in (read_train_videos, read_val_videos):
            for video in function(root)[0]:
                assert not leads_out(video.name)
                assert (video.num_frames or 0) < 10**9
        read_det_images(root)

    tokens = [b'\t', b'/', b'../', b'train/a', b'1000000000', '\u0663'.encode()]
    return Target('list', [train, val, det], read, tokens)


def _cocovid(folder: Path) -> Target:
    content = write_cocovid(folder / 'a.json', num_videos=2, num_frames=3)
    first, second = content['annotations'][:2]
    first['segmentation'] = [[8, 8, 40, 8, 40, 40.5], [9, 9, 20, 9, 20, 30]]
    height, width = (content['images'][0][side] for side in ('height', 'width'))
    second['segmentation'] = dict(counts=[9, height * width - 9], size=[height, width])
    stills = {key: value for key, value in content.items() if key != 'videos'}
    stills['images'] = [
        {key: v for key, v in image.items() if key not in ('video_id', 'frame_id')}
        for image in content['images']
    ]

    def read(path: str) -> None:
        found = read_json(path)
        uses = [check.Use(classes=CLASSES)]
        faults = check.find(found, path, uses)
        clean(found, faults, lambda copy: check.find(copy, path, uses))
        load_vid_ground_truth(path, CLASSES)

    tokens = [b'"id":', b'"bbox":', b'[', b']', b'{', b'}', b'"', b',', b'"frame_id":']
    whole = [json.dumps(part).encode() for part in (content, stills)]
    return Target('cocovid', whole, read, tokens)


def _checkpoint(folder: Path) -> dict:
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    return dict(
        meta=dict(epoch=1, iter=2, dataset_meta=dict(CLASSES=('a', 'b')), seed=0),
        state_dict=dict(weight=torch.arange(6.0).reshape(2, 3), bias=torch.zeros(2)),
        message_hub=dict(log_scalars={'train/loss': history}, numpy=np.arange(3)),
        optimizer=dict(state={0: dict(step=torch.tensor(2.0))}, param_groups=[]),
    )


def _checkpoints(folder: Path) -> Iterator[Target]:
    checkpoint = _checkpoint(folder)
    zipped, legacy = folder / 'zip.pth', folder / 'legacy.pth'
    torch.save(checkpoint, zipped)
    torch.save(checkpoint, legacy, _use_new_zipfile_serialization=False)
    sign = folder / 'executed'
    attacks = [code for code in malicious.attacks(sign).values() if len(code) < 10_000]
    with zipfile.ZipFile(zipped) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (data,) = [name for name in parts if name.endswith('data.pkl')]

    def pack(content: bytes, rng: random.Random) -> bytes:
        return _stored({**parts, data: content})

    def read_own(path: str) -> None:
        with open(path, 'rb') as file:
            try:
                read_torch_file(file, keep_foreign=False)
            except ValueError as error:  # its callers name the file
                raise ValueError(f'{path}: {error}') from error
        assert not sign.exists()

    def read(path: str) -> None:
        load_checkpoint_file(path)
        assert not sign.exists()

    tokens = [*attacks, b'.', b'(', b'R', b'\x81', b'b', b'q\0', b'h\0', b'Q', b'\x93']
    inside = [parts[data]]
    yield Target('checkpoint-parts', inside, read_own, tokens, pack)
    yield Target('checkpoint-torch', inside, read, tokens, pack)
    yield Target(
        'checkpoint', [legacy.read_bytes(), zipped.read_bytes()], read_own, tokens
    )


def _stored(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _results(folder: Path) -> Iterator[Target]:
    content = write_cocovid(folder / 'b.json', num_videos=1, num_frames=3)
    predictions = make_predictions(content)
    for prediction in predictions:
        prediction['pred_track_instances'] = dict(
            masks=torch.zeros(2, 4, 5, dtype=torch.bool), instances_id=torch.arange(2)
        )
    stream = io.BytesIO()
    write_predictions(stream, predictions)
    sign = folder / 'executed'
    attacks = [code for code in malicious.attacks(sign).values() if len(code) < 10_000]
    with zipfile.ZipFile(io.BytesIO(stream.getvalue())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def pack(content: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.2:
            return content
        # By its kind: the member that it is a mutated copy of, most of the time.
        alike = [name for name, part in parts.items() if part[:60] == content[:60]]
        name = rng.choice(alike or list(parts))
        return _stored({**parts, name: content})

    def read(path: str) -> None:
        load_results(path)
        assert not sign.exists()

    tokens = [*attacks, b"'<f4'", b"'|O'", b'(1000000000,)', b'(2, -3)', b'True']
    inputs = [*parts.values(), stream.getvalue()]
    yield Target('results-npz', inputs, read, tokens, pack)
    pickles = [pickle.dumps(predictions, protocol) for protocol in (2, 4)]
    yield Target('results-pkl', pickles, read, tokens)


def _mat(folder: Path) -> Target:
    images = np.empty((1, 4), object)
    for i in range(4):
        cells = np.empty((1, max(i, 1)), object)
        for j in range(cells.size):
            cells[0, j] = np.array([[0.25 * j]]) if i else np.zeros((0, 0))
        images[0, i] = cells
    table = dict(other=np.arange(5), motion_iou=images, text='a')
    whole = []
    for compressed in (False, True):
        path = folder / f'{compressed}.mat'
        savemat(path, table, do_compression=compressed)
        whole.append(path.read_bytes())

    def pack(content: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.7:
            return content
        packed = zlib.compress(content[128:])
        head = (15).to_bytes(4, 'little') + len(packed).to_bytes(4, 'little')
        return content[:128] + head + packed

    tokens = [bytes([kind, 0, 0, 0]) for kind in (1, 5, 6, 9, 14, 15)]
    tokens += [b'motion_iou', b'\x0e\0\0\0\0\0\0\0', b'\xff\xff\xff\x0f', b'MI', b'IM']
    return Target('mat', [whole[0], *whole], load_motion_iou_mat, tokens, pack)


def _logs() -> Target:
    lines = [
        dict(lr=0.1, loss=2.0, step=1, epoch=1, data_time=0.1),
        dict(lr=0.1, loss=1.0, step=2, epoch=1),
        {'coco/bbox_mAP': 0.5, 'step': 1},
    ]
    whole = '\n'.join(map(json.dumps, lines)).encode()

    def read(path: str) -> None:
        load_curves(path)

    tokens = [b'{"step": 3}\n', b'"step":', b'"lr"', b'{', b'}', b'[1]\n', b'3\n']
    return Target('log', [whole], read, tokens)


def _options() -> Target:
    """Command lines: words with zeros between them."""
    words = [
        *'train a.py --work-dir b --resume --cfg-options a.b=1 c=[1,2]'.split(),
        *'test a.py b.pth --out c.npz --launcher none --cfg-options d=(1,2)'.split(),
        *'demo a.mp4 --config b --checkpoint c --device cpu --score-thr 0.3'.split(),
        *'check a.json --images b --jobs 2 --json c --fix d --stills'.split(),
        *'convert ilsvrc-vid -i a -o b -j 2 --strict'.split(),
        *'eval a.py b.npz --eval motion --eval-options classwise=True'.split(),
        *'plot-logs a b --keys loss --out c.png --smooth 0.5'.split(),
        *'count a.py --shape 600 1000 bench-backbone --debug --help'.split(),
    ]
    commands: dict[str, Command] = {}

    def read(path: str) -> None:
        content = Path(path).read_bytes().decode('utf-8', 'surrogateescape')
        argv = content.split('\0')
        name = argv[0]
        if name not in stpn_command.COMMANDS:
            name = sorted(stpn_command.COMMANDS)[
                len(content) % len(stpn_command.COMMANDS)
            ]
        if name not in commands:
            module = __import__(
                f'stpn_plugin.cli.{stpn_command.COMMANDS[name]}', fromlist=['main']
            )
            commands[name] = module.main
        silent = io.StringIO()
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            commands[name].parse(argv[1:])

    lines = [word.encode() for word in words]
    inputs = [
        b'\0'.join(lines[start : start + size])
        for start in range(0, len(lines), 4)
        for size in (3, 8)
    ]
    tokens = [b'\0' + line for line in lines] + [
        b'\0--',
        b'=',
        b'\0-',
        b'[',
        b'(',
        b'{',
    ]
    return Target('options', inputs, read, tokens)
