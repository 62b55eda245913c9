"""Detect objects in a video: pictures and tables of what was found."""

from __future__ import annotations

import os
import os.path as osp
import re
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Iterable, Iterator, Sequence

import numpy as np
from mmengine.device import get_device

from ..apis import (
    TINY_MODEL,
    CocoWriter,
    CsvWriter,
    DetectionDrawer,
    FrameWriter,
    LiveVideo,
    MotWriter,
    ResultWindow,
    ResultWriter,
    VideoDetector,
    VideoError,
    VideoFile,
    VideoWriter,
    check_windows,
    open_video,
    select_detections,
)
from ..apis.video_io import IMAGE_SUFFIXES
from ..builders import load_config
from ..datasets import VIDEO_SUFFIXES
from ..utils import ProgressBar, keep_freed_memory, refuse_overwriting_input, same_file
from .command import BaseOptions, Command, argument, flag, option
from .configs import config_overrides
from .demo_summary import Summary
from .values import device, positive, rate, score

DEFAULT_FPS = 25.0
_OUTPUTS = 'outputs, one at least'


@dataclass
class Options(BaseOptions):
    """In what, with what, and what to write."""

    input: str = argument(
        'video file, folder of images or videos, glob pattern of images, index of a '
        'camera, URL of a stream (rtsp://, http://, ...), or - for standard input'
    )
    config: str | None = argument(
        'config file, or without a checkpoint a published model: its folder, or the id '
        "of its repository at Hugging Face's Hub; default: the tiny model that comes "
        'with this package',
        nargs='?',
    )
    checkpoint: str | None = argument('checkpoint file or URL', nargs='?')
    out_video: str | None = option(
        'annotated video, .mp4, .webm, .mkv or .avi; of a folder of videos, each has '
        'outputs of its own, with its name in theirs',
        group=_OUTPUTS,
        metavar='FILE',
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
    show: bool = flag('show them in a window; q ends it', group=_OUTPUTS)
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
    pictures = options.out_video or options.out_frames or options.show
    if not (pictures or any(table_files)):
        given = 'stdin' if options.input == '-' else options.input
        name = osp.splitext(osp.basename(osp.normpath(given)))[0]
        options.out_video = re.sub(r'[^\w.-]', '_', name) + '_found.mp4'
        print(f'Objects will be shown in {options.out_video}')
    if options.show:
        check_windows()
    errors: list[str] = []
    videos = []
    for each in split_input(options):
        with collecting(errors, each is not options):
            video = open_video(int(each.input) if each.input.isdigit() else each.input)
            check_outputs(each, video)
            videos.append((each, video))
    if not videos:
        raise VideoError('; '.join(errors))
    detector = open_detector(options)
    labels = class_labels(options.classes, detector.classes)
    for each, video in videos:
        with collecting(errors, each is not options):
            detect(each, video, detector, labels)
    if errors:
        raise VideoError(f'{len(errors)} videos failed: {"; ".join(errors)}')


@contextmanager
def collecting(errors: list[str], goes_on: bool) -> Iterator[None]:
    """Let a video that cannot be read not keep others from their turn."""
    try:
        yield
    except VideoError as error:
        if not goes_on:
            raise
        errors.append(str(error))


def split_input(options: Options) -> list[Options]:
    """Options for each video of a folder of videos; else the options themselves.

    The name of the video goes into those of its outputs: ``found.csv`` becomes
    ``found_clip.csv``, a folder of frames ``frames/clip``.
    """
    folder = options.input
    names = sorted(os.listdir(folder)) if osp.isdir(folder) else []
    videos = [name for name in names if name.lower().endswith(VIDEO_SUFFIXES)]
    if not videos or any(name.lower().endswith(IMAGE_SUFFIXES) for name in names):
        return [options]
    stems = Counter(osp.splitext(name)[0] for name in videos)
    each = []
    for name in videos:
        stem = osp.splitext(name)[0]
        stem = stem if stems[stem] == 1 else name
        changes: dict[str, Any] = {'input': osp.join(folder, name)}
        for key in ('out_video', 'out_json', 'out_csv', 'out_mot'):
            path = getattr(options, key)
            if path:
                start, suffix = osp.splitext(path)
                changes[key] = f'{start}_{stem}{suffix}'
        if options.out_frames:
            changes['out_frames'] = osp.join(options.out_frames, stem)
        each.append(replace(options, **changes))
    return each


def detect(
    options: Options,
    video: Iterable,
    detector: VideoDetector,
    labels: list[int] | None,
) -> None:
    """Detect in a video, write what was found, and sum it up.

    Raises:
        OSError: An output cannot be written.
        VideoError: The video cannot be read to its end.
        KeyboardInterrupt: The user stopped it, and it is no camera.
    """
    is_live = isinstance(video, LiveVideo)
    total = len(video) if isinstance(video, list) else getattr(video, 'length', None)
    video_fps = getattr(video, 'fps', None) or options.fps
    summary = Summary(detector.classes)
    outputs = [path for path in (*output_files(options), options.out_frames) if path]
    try:
        with ExitStack() as stack:
            pictures, tables = open_writers(options, stack, detector.classes, video_fps)
            if options.show:
                pictures.append(stack.enter_context(ResultWindow(options.input)))
            drawer = DetectionDrawer(detector.classes)
            if options.online or is_live:
                pairs = detector.stream().run(
                    video, options.batch_size, with_frames=True
                )
            else:
                if isinstance(video, VideoFile) and detector.reads_ahead:
                    video = ShownVideoFile(video.path)
                pairs = detector.detect_video(
                    video, options.batch_size, with_frames=True
                )
            bar = ProgressBar(pairs, 'detect', total=total, unit='frame')
            try:
                for image, result in bar:
                    result = select_detections(result, options.score_thr, labels)
                    for writer in tables:
                        writer.write(image, result)
                    summary.add(result)
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
    except (VideoError, KeyboardInterrupt):
        print(summary.text(options.input, outputs))
        raise
    print(summary.text(options.input, outputs))


def output_files(options: Options) -> list[str]:
    """The files that are to be written."""
    tables = (options.out_json, options.out_csv, options.out_mot)
    return [path for path in (options.out_video, *tables) if path]


def open_detector(options: Options) -> VideoDetector:
    """The detector of a config and a checkpoint, a published one, or the shipped one.

    Raises:
        FileNotFoundError: There is no such config or folder.
        ValueError: Config and checkpoint do not fit, or one is missing.
    """
    how = options.device, options.amp
    keep_freed_memory(options.device or get_device())
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
    """Check that outputs can be written, over neither what is read nor each other.

    Raises:
        OSError: One cannot be written.
        ValueError: One is an input or another output, or of an unknown ending.
    """
    files = output_files(options)
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
    with ExitStack() as stack:
        open_writers(options, stack, (), None)  # closed at once, they leave nothing


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
    options: Options, stack: ExitStack, classes: Sequence[str], fps: float | None
) -> tuple[list[ResultWriter], list[ResultWriter]]:
    """Open the outputs: those that take pictures, and those that take numbers.

    Args:
        options: Name them.
        stack: Closes them.
        classes: Class names.
        fps: Frames per second of the input, if it tells.
    """
    name = osp.basename(osp.normpath(options.input))
    pictures: list[ResultWriter] = []
    tables: list[ResultWriter] = []
    if options.out_video:
        out_fps = options.fps or fps or DEFAULT_FPS
        pictures.append(VideoWriter(options.out_video, out_fps))
        stack.enter_context(pictures[-1])
    if options.out_frames:
        pictures.append(stack.enter_context(FrameWriter(options.out_frames)))
    if options.out_json:
        tables.append(stack.enter_context(CocoWriter(options.out_json, classes, name)))
    if options.out_csv:
        tables.append(CsvWriter(options.out_csv, classes, name, fps))
        stack.enter_context(tables[-1])
    if options.out_mot:
        tables.append(stack.enter_context(MotWriter(options.out_mot)))
    return pictures, tables


main = Command(__doc__, Options, run)
