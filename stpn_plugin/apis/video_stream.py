"""Streams of frames that are detected as they come."""

from __future__ import annotations

import itertools
from typing import Iterator, Literal, NamedTuple, Sequence, overload

from ..models.prompting import PastSupport, SupportMemory
from .frame_runner import FrameRunner
from .video_io import (
    Frame,
    FrameLike,
    Video,
    batched,
    check_size,
    load_frame,
    opened,
    read_frames,
)
from .video_result import Pair, VideoResult, pairs_or_results


class StreamState(NamedTuple):
    """How far a stream has come.

    Attributes:
        memory: What it remembers, None if its model needs no memory.
        num_frames: Number of frames seen.
        shape: (H, W, 3) of its frames, None before the first.
    """

    memory: SupportMemory | None
    num_frames: int = 0
    shape: tuple[int, ...] | None = None


class VideoStream:
    """A camera or video whose frames are detected as they come.

    No frame of the future is used, and memory is bounded. Made by
    :meth:`~stpn_plugin.apis.VideoDetector.stream`.

    Args:
        runner: What runs the model.
        policy: Which past frames support the current one.

    Attributes:
        runner: What runs the model.
        state: How far it has come.
    """

    def __init__(self, runner: FrameRunner, policy: PastSupport) -> None:
        self.runner = runner
        self.state = StreamState(runner.start_video(policy))

    @property
    def num_frames(self) -> int:
        """Number of frames seen."""
        return self.state.num_frames

    def push(self, frame: Frame | FrameLike) -> VideoResult:
        """Detect in the next frame.

        Args:
            frame: Image (H, W, 3), BGR, uint8, or image file.

        Returns:
            Its result; see :meth:`~stpn_plugin.apis.VideoDetector.detect_video`.

        Raises:
            VideoError: The frame is no image, or not of the size of the first.
        """
        return push([self], [frame])[0]

    @overload
    def run(
        self, video: Video, batch_size: int = ..., with_frames: Literal[False] = ...
    ) -> Iterator[VideoResult]: ...

    @overload
    def run(
        self, video: Video, batch_size: int = ..., *, with_frames: Literal[True]
    ) -> Iterator[Pair]: ...

    def run(
        self, video: Video, batch_size: int = 1, with_frames: bool = False
    ) -> Iterator[VideoResult] | Iterator[Pair]:
        """Detect in all frames of a video, which is read once.

        Args:
            video: As for :meth:`~stpn_plugin.apis.VideoDetector.detect_video`, or one
                that can be read only once, such as a camera.
            batch_size: Frames in one forward pass. All of them are waited for.
            with_frames: Whether to give each frame along with its result.

        Returns:
            As of :meth:`~stpn_plugin.apis.VideoDetector.detect_video`.

        Raises:
            FileNotFoundError: There is no such file.
            VideoError: The video has no frames, can be read only in part, or
                has frames of different sizes. The frames before the faulty one
                have been given by then.
        """
        batches = batched(read_frames(opened(video)), batch_size)
        pairs = (zip(b, push([self] * len(b), b)) for b in batches)
        return pairs_or_results(itertools.chain.from_iterable(pairs), with_frames)


def push(
    streams: Sequence[VideoStream], frames: Sequence[Frame | FrameLike]
) -> list[VideoResult]:
    """Detect in streams of one model at once, in one forward pass.

    Args:
        streams: A stream for each frame; the same one may occur repeatedly, with its
            next frames.
        frames: The frames. Those that the pipeline gives another size run in a forward
            pass of their own.

    Returns:
        The frames' results.

    Raises:
        ValueError: There are not as many streams as frames, or they are of several
            detectors.
        VideoError: A frame is no image, or not of the size of its stream's first. No
            stream goes on then.
    """
    if len(streams) != len(frames):
        raise ValueError(f'got {len(streams)} streams for {len(frames)} frames')
    if not streams:
        return []
    runner = streams[0].runner
    if any(stream.runner is not runner for stream in streams):
        raise ValueError('the streams are of several detectors')
    states = {stream: stream.state for stream in streams}
    packed = []
    for stream, item in zip(streams, frames):
        state = states[stream]
        frame = load_frame(item, state.num_frames)
        shape = state.shape or frame.image.shape
        check_size(frame, shape, state.num_frames)
        packed.append(runner.pack([frame], [state.num_frames]))
        states[stream] = state._replace(num_frames=state.num_frames + 1, shape=shape)
    batches, memories = [], []
    for stream, sample in zip(streams, packed):
        batch, memory = runner.prepare(sample, states[stream].memory)
        batches.append(batch)
        memories.append(memory)
        states[stream] = states[stream]._replace(memory=memory)
    results = runner.predict(batches, memories)
    # Only now, so that no stream goes on if one frame is faulty.
    for stream, state in states.items():
        stream.state = state
    return results
