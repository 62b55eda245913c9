"""An image detector run on each frame of a video by itself."""

from __future__ import annotations

from typing import Any, Sequence

from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from mmtrack.models.vid import BaseVideoDetector
from mmtrack.registry import MODELS
from mmtrack.structures import TrackDataSample
from mmtrack.utils import ConfigType, OptConfigType, OptMultiConfig, SampleList
from torch import Tensor

from ..freezing import FreezingMixin, heads_for_loss
from ..prompting.batches import Batch, predict_by_size, preprocess_each


@MODELS.register_module()
class SingleFrameDetector(FreezingMixin, BaseVideoDetector):
    """Run an unchanged mmdet detector on every frame by itself.

    The baseline that video detectors are compared with, and what they share:
    mmtrack's samples and inputs go in, an image detector does the work,
    mmtrack's results come out.

    Args:
        detector: Config of any mmdet detector. Its parameters are named ``detector.*``.
        frozen_modules: Names of parts that are not trained and stay in eval mode, such
            as ``detector.backbone``.
        train_cfg: Kept for mmtrack's interface; the detector's own settings lie in
            ``detector.train_cfg``.
        test_cfg: Likewise.
        data_preprocessor: Config of ``TrackDataPreprocessor``.
        init_cfg: Initialization config.
    """

    def __init__(
        self,
        detector: ConfigType,
        frozen_modules: list[str] | tuple[str, ...] | str | None = None,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        data_preprocessor: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.detector = MODELS.build(detector)
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg
        self.freeze_module(frozen_modules or ())

    def loss(
        self, inputs: dict[str, Tensor], data_samples: SampleList
    ) -> dict[str, Tensor]:
        """Losses of the image detector on the key frames.

        Args:
            inputs: ``img`` (B, 1, 3, H, W), the key frames.
            data_samples: The B samples, with ``gt_instances``.

        Returns:
            The image detector's losses.
        """
        with heads_for_loss(self.detector):
            return self.detector.loss(self.key_frames(inputs), data_samples)

    def predict(
        self,
        inputs: dict[str, Tensor],
        data_samples: SampleList,
        rescale: bool = True,
    ) -> SampleList:
        """Detect on frames.

        Args:
            inputs: ``img`` (B, 1, 3, H, W).
            data_samples: The B samples.
            rescale: Whether boxes are given in the original images.

        Returns:
            The samples with ``pred_det_instances``: ``bboxes`` (N, 4),
            ``scores`` (N,) and ``labels`` (N,).
        """
        return self.detect(self.key_frames(inputs), data_samples, rescale)

    def detect(
        self, img: Tensor, data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Run the image detector on frames (B, 3, H, W).

        Returns:
            The samples with ``pred_det_instances``; those given are untouched.
        """
        det_samples = [DetDataSample(metainfo=s.metainfo) for s in data_samples]
        det_samples = self.detector.predict(img, det_samples, rescale=rescale)
        return [
            self.make_result(data_sample, det_sample.pred_instances)
            for data_sample, det_sample in zip(data_samples, det_samples)
        ]

    def val_step(self, data: Batch) -> SampleList:
        """As :meth:`test_step`."""
        return self.test_step(data)

    def test_step(self, data: Batch) -> SampleList:
        """Detect on frames as the data loader gives them, each by itself.

        Args:
            data: ``inputs`` and ``data_samples`` of B frames. Support frames that
                some of them bring are left out.

        Returns:
            Their B results.
        """
        data = dict(data, inputs=dict(img=data['inputs']['img']))
        frames = preprocess_each(self.data_preprocessor, data)
        return self.predict_frames(frames, [None] * len(frames))

    def predict_frames(
        self, frames: Sequence[Batch], memories: Sequence[None], **kwargs: Any
    ) -> SampleList:
        """Detect on frames of any sizes and videos.

        Args:
            frames: Preprocessed batches of one frame. Those of one size run in
                one forward pass.
            memories: None for each frame: nothing is remembered.
            **kwargs: Those of :meth:`predict`.

        Returns:
            A result for each frame.
        """
        return predict_by_size(
            lambda _, inputs, samples: self.predict(inputs, samples, **kwargs), frames
        )

    @staticmethod
    def make_result(
        data_sample: TrackDataSample, instances: InstanceData
    ) -> TrackDataSample:
        """The sample with its detections; that given is untouched."""
        result = data_sample.clone()
        result.pred_det_instances = instances
        # Where mmtrack's TrackLocalVisualizer looks. They have no instances_id.
        result.pred_track_instances = instances
        return result

    @staticmethod
    def key_frames(inputs: dict[str, Tensor]) -> Tensor:
        """Key frames (B, 3, H, W) out of ``img`` (B, 1, 3, H, W).

        Raises:
            ValueError: A sample has not one key frame.
        """
        img = inputs['img']
        if img.dim() != 5 or img.shape[1] != 1:
            raise ValueError(
                'img must have shape (B, 1, 3, H, W), one key frame a sample, got '
                f'{tuple(img.shape)}'
            )
        return img[:, 0]
