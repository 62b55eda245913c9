"""Makes the files in ``tests/data/videos``, which OpenCV cannot: it needs PyAV.

    python -m tests.support.make_videos

``uneven.mp4`` is H.264 with B-frames, groups of pictures that are open, and frames that
last from 5 to 120 ms, ``uneven.mkv`` the same frames; ``trimmed.mp4`` is the same
without its first five frames, which
are in the file, to decode the others, and are not shown; in ``refreshed.mp4`` pictures
are renewed bit by bit, without key frames.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Sequence

import numpy as np

FOLDER = Path(__file__).parents[1] / 'data/videos'
WIDTH, HEIGHT, LENGTH = 64, 48, 40


def write(path: Path, times: Sequence[int], **options: str) -> None:
    import av

    rng = np.random.default_rng(0)
    scene = rng.integers(0, 255, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        stream.options = dict(dict(preset='slow', crf='30', g='12'), **options)
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, time in enumerate(times):
            image = np.roll(scene, 2 * i, axis=1)
            image[10:30, i : i + 20] = (7 * i % 255, 255 - 4 * i, 128)
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def trim(source: Path, path: Path, number: int) -> None:
    import av

    with av.open(str(source)) as read, av.open(str(path), 'w') as container:
        stream = container.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.dts is not None]
        start = sorted(packet.pts for packet in packets)[number]
        for packet in packets:
            packet.pts -= start
            packet.dts -= start
            packet.stream = stream
            container.mux(packet)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    times = np.cumsum([0, *rng.integers(5, 120, LENGTH - 1)]).tolist()
    opened = {'bf': '3', 'x264-params': 'open-gop=1'}
    write(FOLDER / 'uneven.mp4', times, **opened)
    trim(FOLDER / 'uneven.mp4', FOLDER / 'trimmed.mp4', 5)
    trim(FOLDER / 'uneven.mp4', FOLDER / 'uneven.mkv', 0)
    even = [40 * i for i in range(60)]
    refreshed = {'bf': '0', 'g': '16', 'x264-params': 'intra-refresh=1'}
    write(FOLDER / 'refreshed.mp4', even, **refreshed)


if __name__ == '__main__':
    main()
