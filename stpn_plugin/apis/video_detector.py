"""Detect objects in videos, whole or as they come."""

from __future__ import annotations

import copy
import itertools
import os
import sys
import threading
from contextlib import contextmanager
from typing import (
    Any,
    Iterable,
    Iterator,
    Literal,
    NamedTuple,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    overload,
)

import numpy as np
import torch
from mmcv.ops import roi_align
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmtrack.registry import DATASETS, MODELS

from ..builders import entry, load_config, load_weights, scope_of
from ..models.class_check import check_num_classes, checkpoint_classes
from ..models.prompting import PastSupport, SupportMemory, VideoPrompting
from ..models.prompting.batches import Batch
from ..models.vid import SingleFrameDetector, STPNSelsa
from ..models.vis import STPNMask2Former
from ..utils.model_folders import read_model_folder
from .pretrained import find_model
from .support_frames import SpreadSupport, WindowSupport, support_sampler
from .video_io import (
    Frame,
    FrameLike,
    VideoError,
    check_size,
    load_frame,
    open_video,
    read_frames,
)
from .video_result import VideoResult

T = TypeVar('T')
Pair = Tuple[np.ndarray, VideoResult]  # image (H, W, 3), BGR, and what is in it
Video = Union[str, 'os.PathLike[str]', Iterable[FrameLike]]


class VideoDetector:
    """A trained video object detector, ready for use.

    Frames go through the test pipeline and the data preprocessor of the
    config, so that results are those of ``tools/test.py`` on the same frames.

    One detector serves any number of videos and streams, also interleaved and
    from several threads: each has a memory of its own.

    Args:
        config: Config, path of its file, or ``'<package>::<path>'``.
        checkpoint: Path or URL of the weights. Without, the weights are
            random.
        device: Defaults to the GPU if there is one.
        amp: Mixed precision. ``True`` stands for float16 on a GPU and bfloat16
            on a CPU.

    Attributes:
        classes: Class names, of the checkpoint if it has them, else of the config's
            test dataset.

    Raises:
        FileNotFoundError: The config does not exist.
        TypeError: The config's model is none of this package's.
        ValueError: The checkpoint does not fit the model, the model has heads for
            another number of classes, or the installed mmcv's operators do not
            compute in the precision of ``amp``.

    Examples:
        >>> detector = VideoDetector(config, checkpoint)
        >>> for result in detector.detect_video('frames/', batch_size=8):
        ...     names = result.names
        >>> picture = detector(frame).plot()
        >>> stream = detector.stream()
        >>> result = stream.push(frame)
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: None | str | torch.device = None,
        amp: bool | torch.dtype = False,
    ) -> None:
        cfg = config if isinstance(config, Config) else load_config(str(config))
        self.device = torch.device(device or get_device())
        self._amp_dtype = _amp_dtype(amp, self.device)
        model = entry(cfg, 'model')
        with scope_of(cfg):
            self.model = MODELS.build(model)
            if not isinstance(self.model, (SingleFrameDetector, VideoPrompting)):
                raise TypeError(
                    f'VideoDetector runs the models of this package, not '
                    f'{type(self.model).__name__}; use init_model and inference_vid '
                    'of mmtrack.apis for the methods of mmtrack'
                )
            dataset = entry(cfg, 'test_dataloader.dataset')
            self._pipeline, self._to_float32 = _frame_pipeline(dataset.pipeline)
            self.classes = tuple(
                DATASETS.build({**dataset, 'lazy_init': True}).metainfo['CLASSES']
            )
        if checkpoint is not None:
            content = load_weights(self.model, str(checkpoint))
            self.classes = checkpoint_classes(content) or self.classes
        check_num_classes(self.model, self.classes)
        self._dataset = dataset
        batch_sampler = cfg.test_dataloader.get('batch_sampler') or {}
        self._whole_videos = _name(batch_sampler) == 'EntireVideoBatchSampler'
        self.model.to(self.device).eval()
        self._lock = threading.Lock()

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        device: None | str | torch.device = None,
        amp: bool | torch.dtype = False,
        revision: str | None = None,
    ) -> VideoDetector:
        """Load a model that ``stpn publish -o`` wrote. Nothing in it is run.

        Args:
            name: Its folder, or the id of its repository at Hugging Face's Hub,
                which needs the package ``huggingface_hub``.
            device: Defaults to the GPU if there is one.
            amp: Mixed precision.
            revision: Branch, tag or commit of the repository.

        Returns:
            The detector, with the classes of the folder.

        Raises:
            FileNotFoundError: There is no such folder, or a file is missing in it.
            MissingPackageError: ``huggingface_hub`` is needed and not installed.
            ValueError: It cannot be had, is damaged, or more than data.
        """
        folder = read_model_folder(find_model(os.fspath(name), revision))
        return cls(Config(folder.config), folder.weights, device, amp)

    def __call__(self, image: FrameLike) -> VideoResult:
        """Detect in a single image, which alone then supports itself.

        Args:
            image: Image (H, W, 3), BGR, uint8, or image file.

        Returns:
            Its result, see :meth:`detect_video`, with the image.

        Raises:
            VideoError: It is no image.
        """
        ((_, result),) = self.detect_video([image], with_frames=True)
        return result

    @overload
    def detect_video(
        self,
        video: Video,
        batch_size: int = ...,
        num_support_frames: int | None = ...,
        with_frames: Literal[False] = ...,
    ) -> Iterator[VideoResult]: ...

    @overload
    def detect_video(
        self,
        video: Video,
        batch_size: int = ...,
        num_support_frames: int | None = ...,
        *,
        with_frames: Literal[True],
    ) -> Iterator[Pair]: ...

    def detect_video(
        self,
        video: Video,
        batch_size: int = 1,
        num_support_frames: int | None = None,
        with_frames: bool = False,
    ) -> Iterator[VideoResult] | Iterator[Pair]:
        """Detect in a whole video, as a test run of the config does.

        Support frames are those of the config: spread over the video
        (``test_with_adaptive_stride``), a window that slides along
        (``test_with_fix_stride``), or past frames alone (``PastSupport``). For
        the first two the video is read twice, once for support frames and
        once to detect. Never more than the support frames and one batch of
        frames are kept; all frames are one batch where the config tests whole
        videos in one go (``EntireVideoBatchSampler``).

        Args:
            video: A video file, folder or glob pattern of images, or any
                iterable that starts anew each time it is iterated, over images
                (H, W, 3), BGR, uint8, or image files.
            batch_size: Frames in one forward pass, unless it takes all of them.
            num_support_frames: Number of support frames that are spread over
                the video. Defaults to ``num_ref_imgs`` of the config's test
                dataset.
            with_frames: Whether to give each frame along with its result.

        Returns:
            Iterator that gives for each frame a :class:`VideoResult`, which is a
            ``TrackDataSample``, on the CPU, or a pair of the image (H, W, 3) and
            it, and it then keeps the image. The detections are
            its ``pred_det_instances``: ``bboxes`` (N, 4) in pixels of the
            frame, ``scores`` (N,) and ``labels`` (N,). Trackers and segmentors
            give ``pred_track_instances``, with ``instances_id`` (N,) and
            perhaps ``masks`` (N, H, W), see :func:`found_objects`.

        Raises:
            FileNotFoundError: There is no such file.
            TypeError: ``video`` can be read only once.
            ValueError: ``num_support_frames`` is given, and the config does
                not spread support frames; or it draws them at random.
            VideoError: The video has no frames, can be read only in part, or
                has frames of different sizes. The frames before the faulty one
                have been given by then, supported by one another.
        """
        frames = _opened(video)
        if self.reads_ahead and isinstance(frames, Iterator):
            raise TypeError(
                'detect_video reads a video twice, and this one can be read only '
                'once; detect online with stream(), or give a list'
            )
        sampler = support_sampler(self._dataset, PastSupport().size)
        is_spread = sampler['method'] == 'test_with_adaptive_stride'
        if num_support_frames and not (self.reads_ahead and is_spread):
            raise ValueError(
                'num_support_frames is for support frames that are spread over the '
                'video (test_with_adaptive_stride), which this config does not have'
            )
        if num_support_frames:
            sampler = dict(sampler, num_ref_imgs=num_support_frames)
        return _pairs_or_results(
            self._detect_video(frames, batch_size, sampler), with_frames
        )

    def stream(self, policy: PastSupport | None = None) -> VideoStream:
        """Open a stream of frames that are detected as they come (online).

        Args:
            policy: Which past frames support the current one. Defaults to
                the model's own if it is such a policy, else to
                ``PastSupport()``.

        Raises:
            TypeError: The model is STPNSelsa or STPNMask2Former, which need the
                whole video.
        """
        if isinstance(self.model, STPNMask2Former):
            raise TypeError(
                'STPNMask2Former segments a whole video in one go, so it cannot '
                'segment online; use detect_video, or STPNMinVIS'
            )
        if isinstance(self.model, STPNSelsa):
            raise TypeError(
                'STPNSelsa takes its references from the whole video, so it cannot '
                'detect online; use detect_video, or an STPN model'
            )
        if policy is None:
            own = getattr(self.model, 'support_policy', None)
            policy = own if isinstance(own, PastSupport) else PastSupport()
        return VideoStream(self, policy)

    def push(
        self,
        streams: Sequence[VideoStream],
        frames: Sequence[Frame | FrameLike],
    ) -> list[VideoResult]:
        """Detect in several streams at once, in one forward pass.

        Args:
            streams: A stream for each frame; the same one may occur
                repeatedly, with its next frames.
            frames: The frames. Those that the pipeline gives another size run
                in a forward pass of their own.

        Returns:
            The frames' results; see :meth:`detect_video`.

        Raises:
            ValueError: There are not as many streams as frames.
            VideoError: A frame is no image, or not of the size of its stream's
                first. No stream goes on then.
        """
        if len(streams) != len(frames):
            raise ValueError(f'got {len(streams)} streams for {len(frames)} frames')
        states = {stream: stream.state for stream in streams}
        packed = []
        for stream, item in zip(streams, frames):
            state = states[stream]
            frame = load_frame(item, state.num_frames)
            shape = state.shape or frame.image.shape
            check_size(frame, shape, state.num_frames)
            packed.append(self._pack([frame], [state.num_frames]))
            states[stream] = state._replace(
                num_frames=state.num_frames + 1, shape=shape
            )
        memories = []
        with self._inference():
            batches = [self._preprocess(sample) for sample in packed]
            for stream, batch in zip(streams, batches):
                memory = self._advance(states[stream].memory, batch)
                memories.append(memory)
                states[stream] = states[stream]._replace(memory=memory)
            results = self._predict(batches, memories)
        # Only now, so that no stream goes on if one frame is faulty.
        for stream, state in states.items():
            stream.state = state
        return results

    @property
    def reads_ahead(self) -> bool:
        """Whether support frames come from ahead of the current frame."""
        return (
            isinstance(self.model, VideoPrompting)
            and self.model.needs_support
            and not isinstance(self.model.support_policy, PastSupport)
        )

    def _start_video(self, policy: PastSupport | None = None) -> SupportMemory | None:
        if not isinstance(self.model, VideoPrompting):
            return None
        return self.model.start_video(policy)

    def _detect_video(
        self, video: Iterable[FrameLike], batch_size: int, sampler: dict[str, Any]
    ) -> Iterator[tuple[Frame, VideoResult]]:
        support: None | SpreadSupport | WindowSupport = None
        if self.reads_ahead:
            if sampler['method'] == 'test_with_adaptive_stride':
                support = SpreadSupport(video, sampler['num_ref_imgs'])
            else:
                support = WindowSupport(
                    video, sampler['frame_range'], sampler.get('stride', 1)
                )
        memory = self._start_video()
        size = sys.maxsize if self._whole_videos else batch_size
        for batch in _batches(enumerate(read_frames(video)), size):
            memories = []
            batches = []
            length = None if support is None else support.length
            if self._whole_videos:
                length = len(batch)
            for frame_id, frame in batch:
                frames, frame_ids = [frame], [frame_id]
                if support is not None:
                    joining = support.joining(frame_id)
                    frames += joining.frames
                    frame_ids += joining.frame_ids
                packed = self._pack(frames, frame_ids, length)
                with self._inference():
                    batches.append(self._preprocess(packed))
                    memory = self._advance(memory, batches[-1])
                memories.append(memory)
            with self._inference():
                results = self._predict(batches, memories)
            yield from zip((frame for _, frame in batch), results)

    def _pack(
        self, frames: list[Frame], frame_ids: list[int], length: int | None = None
    ) -> dict[str, Any]:
        """Run a frame, and perhaps support frames, through the test pipeline.

        Args:
            frames: The frame, and its support frames.
            frame_ids: Their positions in the video.
            length: Number of frames in the video, if known.

        Returns:
            ``inputs`` and ``data_samples``, as the config's dataset gives them.
        """
        dtype = np.float32 if self._to_float32 else np.uint8
        shapes = [frame.image.shape[:2] for frame in frames]
        data = dict(
            img=[frame.image.astype(dtype, copy=False) for frame in frames],
            img_path=[frame.path for frame in frames],
            img_shape=shapes,
            ori_shape=shapes,
            img_id=frame_ids,
            frame_id=frame_ids,
            is_video_data=[True] * len(frames),
        )
        if length is not None:
            data['video_length'] = [length] * len(frames)
        return self._pipeline(data)

    def _preprocess(self, packed: dict[str, Any]) -> Batch:
        return self.model.data_preprocessor(pseudo_collate([packed]), False)

    def _advance(
        self, memory: SupportMemory | None, batch: Batch
    ) -> SupportMemory | None:
        if memory is None:
            return None
        return self.model.advance(memory, batch['inputs'], batch['data_samples'][0])

    def _predict(
        self, batches: list[Batch], memories: list[SupportMemory | None]
    ) -> list[VideoResult]:
        results = self.model.predict_frames(batches, memories)
        return [VideoResult.of(result.cpu(), self.classes) for result in results]

    @contextmanager
    def _inference(self) -> Iterator[None]:
        autocast = torch.autocast(
            self.device.type,
            dtype=self._amp_dtype,
            enabled=self._amp_dtype is not None,
        )
        # The backbone is given prompts for the length of a call: one at a time.
        with self._lock, torch.no_grad(), autocast:
            yield


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
    :meth:`VideoDetector.stream`.

    Args:
        detector: The detector.
        policy: Which past frames support the current one.

    Attributes:
        state: How far it has come.
    """

    def __init__(self, detector: VideoDetector, policy: PastSupport) -> None:
        self._detector = detector
        self.state = StreamState(detector._start_video(policy))

    @property
    def num_frames(self) -> int:
        """Number of frames seen."""
        return self.state.num_frames

    def push(self, frame: Frame | FrameLike) -> VideoResult:
        """Detect in the next frame.

        Args:
            frame: Image (H, W, 3), BGR, uint8, or image file.

        Returns:
            Its result; see :meth:`VideoDetector.detect_video`.

        Raises:
            VideoError: The frame is no image, or not of the size of the first.
        """
        return self._detector.push([self], [frame])[0]

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
            video: As for :meth:`VideoDetector.detect_video`, or one that can be
                read only once, such as a camera.
            batch_size: Frames in one forward pass. All of them are waited for.
            with_frames: Whether to give each frame along with its result.

        Returns:
            As of :meth:`VideoDetector.detect_video`.

        Raises:
            FileNotFoundError: There is no such file.
            VideoError: The video has no frames, can be read only in part, or
                has frames of different sizes. The frames before the faulty one
                have been given by then.
        """
        batches = _batches(read_frames(_opened(video)), batch_size)
        pairs = (zip(b, self._detector.push([self] * len(b), b)) for b in batches)
        return _pairs_or_results(itertools.chain.from_iterable(pairs), with_frames)


def _opened(video: Video) -> Iterable[FrameLike]:
    return open_video(video) if isinstance(video, (str, os.PathLike)) else video


def _pairs_or_results(
    pairs: Iterable[tuple[Frame, VideoResult]], with_frames: bool
) -> Iterator[VideoResult] | Iterator[Pair]:
    if with_frames:
        return (
            (frame.image, result.with_image(frame.image)) for frame, result in pairs
        )
    return (result for _, result in pairs)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items. What came before an exception is given first."""
    if size < 1:
        raise ValueError(f'batch_size must be >= 1, got {size}')
    batch: list[T] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except VideoError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _amp_dtype(amp: bool | torch.dtype, device: torch.device) -> torch.dtype | None:
    if amp is False:
        return None
    if amp is True:
        amp = torch.bfloat16 if device.type == 'cpu' else torch.float16
    if not has_operators_for(amp, device):
        raise ValueError(
            f'amp: the operators of the installed mmcv do not compute {amp} on '
            f"'{device.type}'; use amp=False"
            + (' or a GPU' if device.type == 'cpu' else ' or amp=True')
        )
    return amp


def has_operators_for(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the installed mmcv's operators take tensors of a type.

    Compiled ones of mmcv 2.0.0rc4 know no bfloat16; ours do.

    Args:
        dtype: Type of the tensors.
        device: Where they are.
    """
    feature = torch.zeros(1, 1, 2, 2, dtype=dtype, device=device)
    try:
        roi_align(feature, feature.new_zeros(1, 5), 1)
    except RuntimeError:
        return False
    return True


def _frame_pipeline(transforms: Sequence[dict[str, Any]]) -> tuple[Compose, bool]:
    """The test pipeline for lists of frames that are in memory.

    Args:
        transforms: The pipeline of a test dataset, for lists of frames or for
            single ones.

    Returns:
        The pipeline without loading, for lists of frames, and whether frames
        are to be loaded as float32.
    """
    transforms = copy.deepcopy(list(transforms))
    if _name(transforms[0]) == 'TransformBroadcaster':
        each, rest = transforms[0]['transforms'], transforms[1:]
    else:
        each, rest = transforms[:-1], transforms[-1:]
    for transform in rest:
        if _name(transform) == 'PackTrackInputs':
            transform['pack_single_img'] = False
    names = ('LoadImageFromFile', 'LoadFrameFromVideo')
    loaders = [t for t in each if _name(t) in names]
    to_float32 = any(t.get('to_float32', False) for t in loaders)
    # There are no annotations to load either.
    each = [t for t in each if not _name(t).startswith('Load')]
    broadcast = dict(
        type='TransformBroadcaster', share_random_params=True, transforms=each
    )
    return Compose([broadcast, *rest]), to_float32


def _name(part: dict[str, Any]) -> str:
    """Name of a config's part, without the scope."""
    return str(part.get('type')).split('.')[-1]
