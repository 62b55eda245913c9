"""Measure how fast frames of videos are read: one after the other, and in any order.

    python tools/dev/video_readers.py clip.mp4 --frames 40

``LoadFrameFromVideo`` (OpenCV) is compared with PyAV and torchcodec, where they are
installed and run, and with JPEG images of the same frames. Each reader uses one thread,
as in processes that load data, and takes its turn three times; the fastest counts. Each
has to give the same frames.
"""

from __future__ import annotations

import argparse
import sys
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any, Callable, Sequence

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from stpn_plugin.datasets import VideoFrames  # noqa: E402
from stpn_plugin.utils import text_table  # noqa: E402

Reader = Callable[[int], np.ndarray]
_REPEATS = 3
_TOLERANCE = 8  # of 255, between decoders that convert colours differently


def opencv(path: str) -> Reader:
    """What ``LoadFrameFromVideo`` does."""
    return VideoFrames(path).read


def pyav(path: str) -> Reader:
    """PyAV, which seeks to the key frame before a frame."""
    import av

    with av.open(path) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None]
    times = sorted(p.pts for p in packets if not p.is_discard)
    keys = sorted(p.pts for p in packets if p.is_keyframe)
    container = av.open(path)
    stream = container.streams.video[0]
    stream.thread_count, stream.thread_type = 1, 'NONE'
    frames: Any = None
    last = None

    def read(number: int) -> np.ndarray:
        nonlocal frames, last
        wanted = times[number]
        key = keys[max(bisect_right(keys, wanted) - 1, 0)]
        if last is None or not key <= last < wanted:
            container.seek(key, stream=stream)
            frames = container.decode(stream)
        for frame in frames:
            last = frame.pts
            if last == wanted:
                return frame.to_ndarray(format='bgr24')
        raise ValueError(f'{path} has no frame {number}')

    return read


def torchcodec(path: str) -> Reader:
    """torchcodec, with an exact index."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order='NHWC', num_ffmpeg_threads=1)
    return lambda number: decoder.get_frame_at(number).data.numpy()[..., ::-1]


def images(path: str) -> Reader:
    """JPEG images in memory."""
    video = VideoFrames(path)
    encoded: dict[int, np.ndarray] = {}
    for number in range(len(video)):
        encoded[number] = cv2.imencode('.jpg', video.read(number))[1]
    return lambda number: cv2.imdecode(encoded[number], cv2.IMREAD_COLOR)


READERS: dict[str, Callable[[str], Reader]] = {
    'LoadFrameFromVideo': opencv,
    'PyAV': pyav,
    'torchcodec': torchcodec,
    'JPEG images': images,
}


def measure(read: Reader, numbers: Sequence[int]) -> float:
    """Seconds a frame."""
    start = time.perf_counter()
    for number in numbers:
        read(number)
    return (time.perf_counter() - start) / len(numbers)


def main(argv: list[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('video')
    parser.add_argument('--frames', type=int, default=40)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    length = len(VideoFrames(args.video))
    count = min(args.frames, length)
    orders = (
        [*range(count)],
        np.random.default_rng(0).permutation(length)[:count].tolist(),
    )
    readers: dict[str, Reader] = {}
    for name, make in READERS.items():
        try:
            readers[name] = make(args.video)
            readers[name](0)
        except (ImportError, RuntimeError, OSError) as error:
            readers.pop(name, None)
            print(f'{name} is left out: {str(error).splitlines()[0]}')
    for name, read in readers.items():
        if name == 'JPEG images':
            continue
        for number in orders[1][:5]:
            expected = readers['LoadFrameFromVideo'](number).astype(int)
            if np.abs(read(number) - expected).max() > _TOLERANCE:
                raise ValueError(f'{name} gives another frame {number}')
    best = {name: [float('inf')] * len(orders) for name in readers}
    for _ in range(_REPEATS):
        for name, read in readers.items():
            for i, numbers in enumerate(orders):
                best[name][i] = min(best[name][i], measure(read, numbers))
    first = best['LoadFrameFromVideo']
    rows: list[tuple[str, ...]] = [
        ('reader', 'in order, ms', 'any order, ms', 'ratio', 'ratio')
    ]
    rows += [
        (
            name,
            *(f'{1000 * seconds:.1f}' for seconds in values),
            *(f'{seconds / own:.2f}' for seconds, own in zip(values, first)),
        )
        for name, values in best.items()
    ]
    print(f'{args.video}: {length} frames; ratios to LoadFrameFromVideo')
    print(text_table(rows))
    return 0


if __name__ == '__main__':
    sys.exit(main())
