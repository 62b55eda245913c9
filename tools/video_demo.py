"""Detect objects in a video: pictures and tables of what was found."""

from __future__ import annotations

import argparse
import os.path as osp
import sys
from contextlib import ExitStack
from itertools import combinations
from typing import Iterable, Iterator, List, Sequence, Tuple

import numpy as np
from mmengine.config import DictAction
from tqdm import tqdm

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.apis import (
    CocoWriter,
    CsvWriter,
    DetectionDrawer,
    FrameWriter,
    LiveVideo,
    ResultWriter,
    VideoDetector,
    VideoError,
    VideoFile,
    VideoWriter,
    open_video,
    select_detections,
)
from stpn_plugin.builders import load_config
from stpn_plugin.utils import refuse_overwriting_input, same_file

DEFAULT_FPS = 25.0


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'input',
        help='video file, folder of images, glob pattern of images, index of a camera '
        'or URL of a stream',
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or URL')
    outputs = parser.add_argument_group('outputs, one at least')
    outputs.add_argument(
        '--out-video', metavar='FILE', help='annotated video, .mp4, .mkv or .avi'
    )
    outputs.add_argument(
        '--out-frames', metavar='DIR', help='annotated frames, as JPEG images'
    )
    outputs.add_argument(
        '--out-json', metavar='FILE', help='detections as COCO-style JSON'
    )
    outputs.add_argument(
        '--out-csv', metavar='FILE', help='detections as CSV, category ids as in JSON'
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='lowest score of a detection in all outputs, default: %(default)s',
    )
    parser.add_argument(
        '--classes', nargs='+', metavar='NAME', help='only these classes'
    )
    parser.add_argument(
        '--online',
        action='store_true',
        help='let past frames alone support a frame, as with a camera; default: frames '
        'from the whole video, which is read twice',
    )
    parser.add_argument(
        '--batch-size', type=_positive, default=1, help='frames at a time'
    )
    parser.add_argument('--amp', action='store_true', help='use mixed precision')
    parser.add_argument('--device', help='default: the GPU if there is one')
    parser.add_argument(
        '--fps',
        type=float,
        help=f'of the annotated video, default: that of the input, else {DEFAULT_FPS}',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config',
    )
    args = parser.parse_intermixed_args(argv)
    if not (args.out_video or args.out_frames or args.out_json or args.out_csv):
        parser.error(
            'nothing to do: give --out-video, --out-frames, --out-json or --out-csv'
        )
    return args


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is less than 1')
    return value


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
            tqdm(frames, 'pick support frames', total=self.length, unit='frame')
        )


def detect(args: argparse.Namespace) -> None:
    """Detect, and write what was found.

    Args:
        args: As of :func:`parse_args`.

    Raises:
        OSError: An input does not exist, or an output cannot be written.
        ValueError: The config, checkpoint or a class name does not fit, or an output
            is an input or another output.
        VideoError: The video cannot be read to its end; what was detected until
            then is written.
    """
    video = open_video(int(args.input) if args.input.isdigit() else args.input)
    check_outputs(args, video)
    cfg = load_config(args.config, args.cfg_options)
    detector = VideoDetector(cfg, args.checkpoint, args.device, args.amp)
    labels = class_labels(args.classes, detector.classes)
    is_live = isinstance(video, LiveVideo)
    total = len(video) if isinstance(video, list) else getattr(video, 'length', None)
    fps = args.fps or getattr(video, 'fps', None) or DEFAULT_FPS

    with ExitStack() as stack:
        pictures, tables = open_writers(args, stack, detector.classes, fps)
        drawer = DetectionDrawer(detector.classes)
        if args.online or is_live:
            pairs = detector.stream().run(video, args.batch_size, with_frames=True)
        else:
            if isinstance(video, VideoFile) and detector.reads_ahead:
                video = ShownVideoFile(video.path)
            pairs = detector.detect_video(video, args.batch_size, with_frames=True)
        bar = tqdm(pairs, 'detect', total=total, unit='frame')
        try:
            for image, result in bar:
                result = select_detections(result, args.score_thr, labels)
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
                raise


def check_outputs(args: argparse.Namespace, video: Iterable) -> None:
    """Check that the outputs overwrite neither what is read nor each other.

    Raises:
        ValueError: One does.
    """
    files = [args.out_video, args.out_json, args.out_csv]
    files = [path for path in files if path]
    outputs = [*files, args.out_frames] if args.out_frames else files
    for first, second in combinations(outputs, 2):
        if same_file(first, second):
            raise ValueError(f'two outputs have the name {first}')
    inputs = [args.config, args.checkpoint]
    if isinstance(video, VideoFile):
        inputs.append(video.path)
    elif isinstance(video, LiveVideo) and args.input.startswith('file://'):
        inputs.append(args.input[len('file://') :])
    elif isinstance(video, list):
        inputs += video
        if args.out_frames:
            for folder in {osp.dirname(path) or '.' for path in video}:
                refuse_overwriting_input(folder, args.out_frames)
    for path in files:
        for source in inputs:
            refuse_overwriting_input(source, path)


def class_labels(
    names: Sequence[str] | None, classes: Sequence[str]
) -> List[int] | None:
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
    args: argparse.Namespace, stack: ExitStack, classes: Sequence[str], fps: float
) -> Tuple[List[ResultWriter], List[ResultWriter]]:
    """Open the outputs: those that take pictures, and those that take numbers."""
    pictures: List[ResultWriter] = []
    tables: List[ResultWriter] = []
    if args.out_video:
        pictures.append(stack.enter_context(VideoWriter(args.out_video, fps)))
    if args.out_frames:
        pictures.append(stack.enter_context(FrameWriter(args.out_frames)))
    if args.out_json:
        name = osp.basename(osp.normpath(args.input))
        tables.append(stack.enter_context(CocoWriter(args.out_json, classes, name)))
    if args.out_csv:
        tables.append(stack.enter_context(CsvWriter(args.out_csv, classes)))
    return pictures, tables


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    args = parse_args(argv)
    try:
        detect(args)
    except (OSError, ValueError, TypeError, VideoError) as error:
        sys.exit(f'Error: {error}')
    except KeyboardInterrupt:
        sys.exit('Stopped; the outputs hold the frames until here.')


if __name__ == '__main__':
    main()
