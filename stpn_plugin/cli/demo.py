"""Detect objects in a video: pictures and tables of what was found."""

from __future__ import annotations

import os
import os.path as osp
import re
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Iterable, Iterator, Sequence

import numpy as np

from ..apis import (
    TINY_MODEL,
    CocoWriter,
    CsvWriter,
    DetectionDrawer,
    FrameWriter,
    LiveVideo,
    MotWriter,
    ResultWriter,
    VideoDetector,
    VideoError,
    VideoFile,
    VideoWriter,
    open_video,
    select_detections,
)
from ..builders import load_config
from ..utils import ProgressBar, refuse_overwriting_input, same_file
from .command import BaseOptions, Command, argument, flag, option
from .configs import config_overrides
from .values import device, positive, rate, score

DEFAULT_FPS = 25.0
_OUTPUTS = 'outputs, one at least'


@dataclass
class Options(BaseOptions):
    """In what, with what, and what to write."""

    input: str = argument(
        'video file, folder of images, glob pattern of images, index of a camera or '
        'URL of a stream'
    )
    config: str | None = argument(
        'config file, or without a checkpoint a published model: its folder, or the id '
        "of its repository at Hugging Face's Hub; default: the tiny model that comes "
        'with this package',
        nargs='?',
    )
    checkpoint: str | None = argument('checkpoint file or URL', nargs='?')
    out_video: str | None = option(
        'annotated video, .mp4, .mkv or .avi', group=_OUTPUTS, metavar='FILE'
    )
    out_frames: str | None = option(
        'annotated frames, as JPEG images', group=_OUTPUTS, metavar='DIR'
    )
    out_json: str | None = option(
        'detections as COCO-style JSON', group=_OUTPUTS, metavar='FILE'
    )
    out_csv: str | None = option(
        'detections as CSV, category ids as in JSON', group=_OUTPUTS, metavar='FILE'
    )
    out_mot: str | None = option(
        'tracks in the text format of the MOT challenge, of a tracker',
        group=_OUTPUTS,
        metavar='FILE',
    )
    score_thr: float = option(
        'lowest score of a detection in all outputs, default: %(default)s',
        default=0.3,
        type=score,
    )
    classes: list[str] | None = option('only these classes', metavar='NAME')
    online: bool = flag(
        'let past frames alone support a frame, as with a camera; default: frames from '
        'the whole video, which is read twice'
    )
    batch_size: int = option(
        'frames at a time, default: %(default)s', default=1, type=positive
    )
    amp: bool = flag('use mixed precision')
    device: str | None = option('default: the GPU if there is one', type=device)
    fps: float | None = option(
        f'of the annotated video, default: that of the input, else {DEFAULT_FPS}',
        type=rate,
    )
    cfg_options: dict[str, Any] | None = config_overrides()


class ShownVideoFile(VideoFile):
    """Shows how far its first reading, that picks support frames, has come."""

    _read = False

    def __iter__(self) -> Iterator[np.ndarray]:
        """Decode the frames."""
        frames = super().__iter__()
        if self._read:
            return frames
        self._read = True
        return iter(
            ProgressBar(frames, 'pick support frames', total=self.length, unit='frame')
        )


def run(options: Options) -> None:
    """Detect, and write what was found.

    Raises:
        OSError: An input does not exist, or an output cannot be written.
        ValueError: The config, checkpoint or a class name does not fit, or an output
            is an input or another output.
        VideoError: The video cannot be read to its end; what was detected until
            then is written.
    """
    table_files = (options.out_json, options.out_csv, options.out_mot)
    if not (options.out_video or options.out_frames or any(table_files)):
        name = osp.splitext(osp.basename(osp.normpath(options.input)))[0]
        options.out_video = re.sub(r'[^\w.-]', '_', name) + '_found.mp4'
        print(f'Objects will be shown in {options.out_video}')
    video = open_video(int(options.input) if options.input.isdigit() else options.input)
    check_outputs(options, video)
    detector = open_detector(options)
    labels = class_labels(options.classes, detector.classes)
    is_live = isinstance(video, LiveVideo)
    total = len(video) if isinstance(video, list) else getattr(video, 'length', None)
    fps = options.fps or getattr(video, 'fps', None) or DEFAULT_FPS

    with ExitStack() as stack:
        pictures, tables = open_writers(options, stack, detector.classes, fps)
        drawer = DetectionDrawer(detector.classes)
        if options.online or is_live:
            pairs = detector.stream().run(video, options.batch_size, with_frames=True)
        else:
            if isinstance(video, VideoFile) and detector.reads_ahead:
                video = ShownVideoFile(video.path)
            pairs = detector.detect_video(video, options.batch_size, with_frames=True)
        bar = ProgressBar(pairs, 'detect', total=total, unit='frame')
        try:
            for image, result in bar:
                result = select_detections(result, options.score_thr, labels)
                for writer in tables:
                    writer.write(image, result)
                if pictures:
                    picture = drawer.draw(image, result)
                for writer in pictures:
                    writer.write(picture, result)
        except VideoError as error:
            raise VideoError(
                f'{error}; frames detected and written: {bar.n}'
            ) from error
        except KeyboardInterrupt:
            if not is_live:  # a camera is stopped like this
                raise KeyboardInterrupt(
                    'stopped; the outputs hold the frames until here'
                ) from None


def open_detector(options: Options) -> VideoDetector:
    """The detector of a config and a checkpoint, a published one, or the shipped one.

    Raises:
        FileNotFoundError: There is no such config or folder.
        ValueError: Config and checkpoint do not fit, or one is missing.
    """
    how = options.device, options.amp
    if options.config is not None and options.checkpoint is not None:
        cfg = load_config(options.config, options.cfg_options)
        return VideoDetector(cfg, options.checkpoint, *how)
    if options.config is not None and options.config.endswith('.py'):
        raise ValueError(f'give a checkpoint of {options.config}, too')
    if options.cfg_options:
        raise ValueError('--cfg-options are for a config and a checkpoint')
    if options.config is None:
        print(
            'No model was given: this is the tiny one that comes with the package. It '
            'knows the drawn objects of projects/tiny_vid alone.'
        )
    return VideoDetector.from_pretrained(options.config or TINY_MODEL, *how)


def check_outputs(options: Options, video: Iterable) -> None:
    """Check that the outputs overwrite neither what is read nor each other.

    Raises:
        ValueError: One does.
    """
    tables = (options.out_json, options.out_csv, options.out_mot)
    files = [path for path in (options.out_video, *tables) if path]
    outputs = [*files, options.out_frames] if options.out_frames else files
    for first, second in combinations(outputs, 2):
        if same_file(first, second):
            raise ValueError(f'two outputs have the name {first}')
    inputs = [path for path in (options.config, options.checkpoint) if path]
    if options.config and osp.isdir(options.config):
        inputs = [osp.join(options.config, name) for name in os.listdir(options.config)]
    if isinstance(video, VideoFile):
        inputs.append(video.path)
    elif isinstance(video, LiveVideo) and options.input.startswith('file://'):
        inputs.append(options.input[len('file://') :])
    elif isinstance(video, list):
        inputs += video
        if options.out_frames:
            for folder in {osp.dirname(path) or '.' for path in video}:
                refuse_overwriting_input(folder, options.out_frames)
    for path in files:
        for source in inputs:
            refuse_overwriting_input(source, path)


def class_labels(
    names: Sequence[str] | None, classes: Sequence[str]
) -> list[int] | None:
    """Labels of classes by their names, None for all.

    Raises:
        ValueError: There is no such class.
    """
    if names is None:
        return None
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise ValueError(
            f'unknown classes {", ".join(unknown)}; known are {", ".join(classes)}'
        )
    return [classes.index(name) for name in names]


def open_writers(
    options: Options, stack: ExitStack, classes: Sequence[str], fps: float
) -> tuple[list[ResultWriter], list[ResultWriter]]:
    """Open the outputs: those that take pictures, and those that take numbers."""
    pictures: list[ResultWriter] = []
    tables: list[ResultWriter] = []
    if options.out_video:
        pictures.append(stack.enter_context(VideoWriter(options.out_video, fps)))
    if options.out_frames:
        pictures.append(stack.enter_context(FrameWriter(options.out_frames)))
    if options.out_json:
        name = osp.basename(osp.normpath(options.input))
        tables.append(stack.enter_context(CocoWriter(options.out_json, classes, name)))
    if options.out_csv:
        tables.append(stack.enter_context(CsvWriter(options.out_csv, classes)))
    if options.out_mot:
        tables.append(stack.enter_context(MotWriter(options.out_mot)))
    return pictures, tables


main = Command(__doc__, Options, run)
