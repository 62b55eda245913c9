"""MinVIS: video instance segmentation by an image model and query matching."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

import torch
import torch.nn.functional as F
from mmdet.models.dense_heads import Mask2FormerHead
from mmdet.structures.mask import mask2bbox
from mmengine.structures import InstanceData
from mmtrack.models.vis import Mask2Former
from mmtrack.registry import MODELS
from mmtrack.utils import InstanceList, SampleList
from scipy.optimize import linear_sum_assignment
from torch import Tensor


class QueryTracks(NamedTuple):
    """What is known of a video's queries after some of its frames.

    Attributes:
        video_id: The video.
        embeddings: Embeddings (Q, C) in the last frame, track by track.
        logits: Sum of the class logits (Q, K + 1) over the frames.
        num_frames: Number of frames.
    """

    video_id: Any
    embeddings: Tensor
    logits: Tensor
    num_frames: int


def match_queries(embeddings: Tensor, previous: Tensor) -> Tensor:
    """Find every track's query in the next frame.

    The assignment of largest cosine similarity in sum.

    Args:
        embeddings: Query embeddings of the frame (Q, C).
        previous: Those of the frame before (Q, C), track by track.

    Returns:
        Index of the query (Q,) of every track.
    """
    similarity = F.normalize(previous, dim=-1) @ F.normalize(embeddings, dim=-1).T
    _, queries = linear_sum_assignment(-similarity.detach().float().cpu().numpy())
    return torch.as_tensor(queries, device=embeddings.device)


def is_whole_video(metas: Sequence[dict[str, Any]]) -> bool:
    """Whether frames are all those of one video.

    Args:
        metas: Meta information of the frames: ``frame_id`` and ``video_length``.
    """
    ids = [meta.get('frame_id') for meta in metas]
    return ids == list(range(len(ids))) and metas[0].get('video_length') == len(ids)


@MODELS.register_module()
class MinVISHead(Mask2FormerHead):
    """Mask2Former's head for images, which also tells the query embeddings.

    Trained as in mmdet, image by image; parameters and their names are mmdet's.

    Source: Huang et al., "MinVIS: A Minimal Video Instance Segmentation
    Framework without Video-based Training", NeurIPS 2022, section 3.

    Args:
        *args: Those of mmdet's ``Mask2FormerHead``.
        max_tracks: Number of tracks to keep, those of the highest scores. Defaults to
            10.
        **kwargs: Those of mmdet's ``Mask2FormerHead``.
    """

    def __init__(self, *args: Any, max_tracks: int = 10, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_tracks = max_tracks

    def _forward_head(
        self, decoder_out: Tensor, *args: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Class logits with the query's embedding behind them, masks as in mmdet."""
        logits, masks, attn_mask = super()._forward_head(decoder_out, *args)
        embeddings = self.transformer_decoder.post_norm(decoder_out).transpose(0, 1)
        return torch.cat((logits, embeddings), dim=-1), masks, attn_mask

    def forward(
        self, x: Sequence[Tensor], data_samples: SampleList
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Class logits (B, Q, K + 1) and masks (B, Q, h, w) of all decoder layers."""
        outputs, masks = super().forward(x, data_samples)
        return [output[..., : self.num_classes + 1] for output in outputs], masks

    def queries(
        self, x: Sequence[Tensor], data_samples: SampleList
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries after the last decoder layer.

        Args:
            x: Feature maps of T frames, (T, C, H, W) each.
            data_samples: The T samples.

        Returns:
            Class logits (T, Q, K + 1), embeddings (T, Q, C) and mask logits
            (T, Q, h, w).
        """
        outputs, masks = super().forward(x, data_samples)
        logits, embeddings = outputs[-1].split(
            (self.num_classes + 1, outputs[-1].shape[-1] - self.num_classes - 1), -1
        )
        return logits, embeddings, masks[-1]

    def track(
        self,
        x: Sequence[Tensor],
        data_samples: SampleList,
        tracks: QueryTracks | None,
        rescale: bool = True,
    ) -> tuple[InstanceList, QueryTracks]:
        """Segment consecutive frames of a video, and follow its queries.

        A track's class logits are averaged over all frames so far, these
        included. With all frames of a video at once its tracks are chosen by
        the whole video (offline), else by the past (online).

        Args:
            x: Feature maps of T frames, (T, C, H, W) each.
            data_samples: The T samples.
            tracks: What is known from earlier frames, None at the video's
                first.
            rescale: Whether masks are given in the original image.

        Returns:
            For each frame ``masks`` (n, H, W), ``bboxes`` (n, 4), ``labels``
            (n,), ``scores`` (n,) and ``instances_id`` (n,), by falling score;
            and the tracks.
        """
        logits, embeddings, masks = self.queries(x, data_samples)
        last = None if tracks is None else tracks.embeddings
        in_track_order = []
        for i in range(len(embeddings)):
            order = torch.arange(self.num_queries, device=embeddings.device)
            if last is not None:
                order = match_queries(embeddings[i], last)
            last = embeddings[i][order]
            in_track_order.append(order)
        order = torch.stack(in_track_order)  # (T, Q)
        total = logits.gather(1, order[..., None].expand_as(logits)).sum(dim=0)
        num_frames = len(data_samples)
        if tracks is not None:
            total, num_frames = total + tracks.logits, num_frames + tracks.num_frames
        video_id = data_samples[0].metainfo.get('video_id')
        tracks = QueryTracks(video_id, last, total, num_frames)

        probabilities = (total / num_frames).softmax(dim=-1)[:, :-1]
        count = min(self.max_tracks, probabilities.numel())
        scores, best = probabilities.flatten().topk(count)
        ids, labels = best // self.num_classes, best % self.num_classes
        found = []
        for frame_masks, frame_order, sample in zip(masks, order, data_samples):
            maps = self._full_size(frame_masks[frame_order[ids]], sample, rescale)
            found.append(
                InstanceData(
                    masks=maps,
                    bboxes=mask2bbox(maps),
                    labels=labels,
                    scores=scores,
                    # A query may stand for several classes: each is a track.
                    instances_id=best,
                )
            )
        return found, tracks

    @staticmethod
    def _full_size(masks: Tensor, sample: Any, rescale: bool) -> Tensor:
        """Masks (n, H, W) of mask logits (n, h, w)."""
        meta = sample.metainfo
        maps = F.interpolate(
            masks[None], meta['batch_input_shape'], mode='bilinear', align_corners=False
        )
        height, width = meta['img_shape'][:2]
        maps = maps[..., :height, :width]
        if rescale:
            size = meta['ori_shape'][:2]
            maps = F.interpolate(maps, size, mode='bilinear', align_corners=False)
        return maps[0] > 0


@MODELS.register_module()
class MinVIS(Mask2Former):
    """Minimal video instance segmentation.

    An image model (:class:`MinVISHead`) segments every frame; its queries are
    matched from frame to frame. With all frames of a video at once (mmtrack's
    ``EntireVideoBatchSampler``) its tracks are chosen by the whole video.
    Otherwise frames come in order, in batches of any size, and each knows of
    those before it (online).

    Source: Huang et al., "MinVIS: A Minimal Video Instance Segmentation
    Framework without Video-based Training", NeurIPS 2022.

    Args:
        backbone: Config of the backbone.
        track_head: Config of :class:`MinVISHead`.
        whole_videos: Whether a batch that is a whole video is segmented as one.
            Defaults to True. False segments online, however frames are batched.
        **kwargs: Those of mmtrack's ``Mask2Former``.

    Attributes:
        tracks: Tracks of the video under test.
    """

    def __init__(
        self,
        backbone: dict,
        track_head: dict,
        whole_videos: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone=backbone, track_head=track_head, **kwargs)
        self.whole_videos = whole_videos
        self.tracks: QueryTracks | None = None

    def train(self, mode: bool = True) -> MinVIS:
        """Set the mode. Training ends a video under test, finished or not."""
        if mode or self.training:
            self.tracks = None
        return super().train(mode)

    def loss(
        self, inputs: dict[str, Tensor], data_samples: SampleList, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Losses of the image model.

        Args:
            inputs: ``img`` (B, 1, 3, H, W): MinVIS is trained on images.
            data_samples: The B samples, with ``gt_instances`` that have masks.
            **kwargs: Not used.

        Raises:
            ValueError: A sample has several frames.
        """
        if inputs['img'].shape[1] != 1:
            raise ValueError(
                f'MinVIS trains on single frames, got {inputs["img"].shape[1]} in a '
                'sample: set num_key_frames=1 in the packing transform'
            )
        return super().loss(inputs, data_samples)

    def predict(
        self,
        inputs: dict[str, Tensor],
        data_samples: SampleList,
        rescale: bool = True,
    ) -> SampleList:
        """Segment the next frames of videos.

        Args:
            inputs: ``img`` (T, 1, 3, H, W), in the order of the videos.
            data_samples: The T samples, with ``frame_id`` and ``video_id``.
            rescale: Whether masks are given in the original image.

        Returns:
            The samples with ``pred_track_instances``, see
            :meth:`MinVISHead.track`.

        Raises:
            RuntimeError: A video does not start with its frame 0.
        """
        feats = self.backbone(inputs['img'][:, 0])
        metas = [sample.metainfo for sample in data_samples]
        step = len(metas) if self.whole_videos and is_whole_video(metas) else 1
        for start in range(0, len(metas), step):
            samples = data_samples[start : start + step]
            found, self.tracks = self.track_head.track(
                [level[start : start + step] for level in feats],
                samples,
                self._tracks_before(metas[start]),
                rescale,
            )
            for sample, instances in zip(samples, found):
                sample.pred_track_instances = instances
        return data_samples

    def _tracks_before(self, meta: dict[str, Any]) -> QueryTracks | None:
        """Tracks of the frame's video so far."""
        if meta['frame_id'] == 0:
            return None
        if self.tracks is None or self.tracks.video_id != meta.get('video_id'):
            raise RuntimeError(
                f'frame {meta["frame_id"]} of video {meta.get("video_id")} arrived '
                'before frame 0 of that video; test whole videos in order'
            )
        return self.tracks
