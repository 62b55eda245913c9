"""Detect objects in videos, whole or as they come."""

from __future__ import annotations

import os
import sys
from typing import Any, Iterable, Iterator, Literal, Sequence, overload

import torch
from mmcv.ops import roi_align
from mmengine.config import Config
from mmengine.device import get_device
from mmtrack.registry import DATASETS, MODELS

from ..builders import entry, load_config, load_weights, scope_of
from ..models.class_check import check_num_classes, checkpoint_classes
from ..models.prompting import PastSupport, VideoPrompting
from ..models.vid import SingleFrameDetector, STPNSelsa
from ..models.vis import STPNMask2Former
from ..utils.model_folders import read_model_folder
from .frame_runner import FrameRunner, name_of
from .pretrained import find_model
from .support_frames import SpreadSupport, WindowSupport, support_sampler
from .video_io import Frame, FrameLike, Video, batched, opened, read_frames
from .video_result import Pair, VideoResult, pairs_or_results
from .video_stream import VideoStream, push


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
        amp_dtype = _amp_dtype(amp, self.device)
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
            self.classes = tuple(
                DATASETS.build({**dataset, 'lazy_init': True}).metainfo['CLASSES']
            )
        if checkpoint is not None:
            content = load_weights(self.model, str(checkpoint))
            self.classes = checkpoint_classes(content) or self.classes
        check_num_classes(self.model, self.classes)
        self.model.to(self.device).eval()
        with scope_of(cfg):
            self._runner = FrameRunner(
                self.model, self.classes, dataset.pipeline, self.device, amp_dtype
            )
        self._dataset = dataset
        batch_sampler = cfg.test_dataloader.get('batch_sampler') or {}
        self._whole_videos = name_of(batch_sampler) == 'EntireVideoBatchSampler'

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
        frames = opened(video)
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
        return pairs_or_results(
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
        return VideoStream(self._runner, policy)

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
        return push(streams, frames)

    @property
    def reads_ahead(self) -> bool:
        """Whether support frames come from ahead of the current frame."""
        return (
            isinstance(self.model, VideoPrompting)
            and self.model.needs_support
            and not isinstance(self.model.support_policy, PastSupport)
        )

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
        memory = self._runner.start_video()
        size = sys.maxsize if self._whole_videos else batch_size
        for batch in batched(enumerate(read_frames(video)), size):
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
                packed = self._runner.pack(frames, frame_ids, length)
                prepared, memory = self._runner.prepare(packed, memory)
                batches.append(prepared)
                memories.append(memory)
            results = self._runner.predict(batches, memories)
            yield from zip((frame for _, frame in batch), results)


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
