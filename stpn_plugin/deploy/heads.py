"""Heads of mmdet's detectors as graphs: from feature maps to boxes, NMS included.

mmdet's own code asks how many boxes there are, image by image, which no exported graph
can. These modules run the same layers and the same settings on tensors of one shape.
"""

from __future__ import annotations

from typing import Any, Sequence, Tuple

import torch
from mmcv.ops import RoIAlign
from mmdet.models.dense_heads import AnchorHead, RPNHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from torch import Tensor, nn

from .errors import ExportError
from .suppression import Candidates, best, highest, rows

Size = Tuple[int, int]
Found = Tuple[Tensor, Tensor, Tensor]
"""Boxes (B, K, 4) in pixels of the frames, scores (B, K) and labels (B, K); where there
are fewer than K, scores are 0 and labels -1."""


def detection_head(detector: nn.Module) -> OneStageHead | TwoStageHead:
    """The head of a detector, made to be exported.

    Args:
        detector: An image detector of mmdet.

    Returns:
        Module from feature maps and the frames' size to :data:`Found`.

    Raises:
        ExportError: It has a head that cannot be exported; the message says why.
    """
    if isinstance(detector, TwoStageDetector) and detector.with_rpn:
        return TwoStageHead(detector)
    if isinstance(detector, SingleStageDetector):
        return OneStageHead(detector.bbox_head)
    raise ExportError(
        f'{type(detector).__name__} cannot be exported with its head, only detectors '
        'made like Faster R-CNN and RetinaNet can; --maps writes its feature '
        'maps'
    )


class _DenseHead(nn.Module):
    """What anchor heads have in common.

    Args:
        head: The built mmdet head.
        cfg: Its settings under test.
    """

    def __init__(self, head: AnchorHead, cfg: Any) -> None:
        super().__init__()
        _check_coder(head)
        self.head = head
        self.num_before = int(cfg.get('nms_pre', -1))
        self.num_after = int(cfg.max_per_img)
        self.min_size = float(cfg.get('min_bbox_size', -1))
        self.score_threshold = float(cfg.get('score_thr', -1))
        self.iou_threshold = _iou_threshold(cfg.nms)

    def candidates(
        self, maps: Sequence[Tensor], size: Size
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Boxes of all levels before NMS.

        Returns:
            Boxes (B, N, 4), scores (B, N), labels, levels and which of them count.
        """
        scores, deltas = self.head(maps)
        sizes = [(score.shape[2], score.shape[3]) for score in scores]
        priors = self.head.prior_generator.grid_priors(
            sizes, dtype=scores[0].dtype, device=scores[0].device
        )
        levels = [
            self._level(*level, number)
            for number, level in enumerate(zip(scores, deltas, priors))
        ]
        anchors, changes, score, label, level = (
            torch.cat(parts, dim=1) for parts in zip(*levels)
        )
        boxes = self.head.bbox_coder.decode(
            anchors.flatten(0, 1), changes.flatten(0, 1)
        )
        boxes = clip(boxes, size).view_as(anchors)
        valid = score >= 0
        if self.min_size >= 0:
            valid = valid & (boxes[..., 2:] - boxes[..., :2] > self.min_size).all(-1)
        return boxes, score, label, level, valid

    def _level(
        self, scores: Tensor, deltas: Tensor, priors: Tensor, number: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Anchors, changes, scores, labels and level of one level's best boxes."""
        channels = self.head.cls_out_channels
        scores = _by_anchor(scores, channels)
        if self.head.use_sigmoid_cls:
            scores = scores.sigmoid()
        else:
            scores = scores.softmax(-1)[..., :-1]
            channels = channels - 1
        deltas = _by_anchor(deltas, 4)
        scores = scores.flatten(1)
        scores = scores.masked_fill(scores <= self.score_threshold, -1.0)
        if self.num_before > 0:
            scores, index = highest(scores, self.num_before)
        else:
            index = torch.arange(scores.shape[1], device=scores.device)
            index = index.expand_as(scores)
        anchor = torch.div(index, channels, rounding_mode='floor')
        priors = priors.unsqueeze(0).expand(scores.shape[0], -1, -1)
        return (
            *(rows(priors, anchor), rows(deltas, anchor), scores, index % channels),
            torch.full_like(index, number),
        )


class OneStageHead(_DenseHead):
    """Boxes of RetinaNet and other detectors of one stage with anchors.

    Args:
        head: The built mmdet head.

    Raises:
        ExportError: It is another kind of head.
    """

    def __init__(self, head: nn.Module) -> None:
        plain = ('predict_by_feat', '_predict_by_feat_single', '_bbox_post_process')
        if not isinstance(head, AnchorHead) or any(
            getattr(type(head), name) is not getattr(BaseDenseHead, name)
            for name in plain
        ):
            raise ExportError(
                f'{type(head).__name__} cannot be exported, of heads of one stage only '
                'those made like RetinaHead can; --maps writes the feature maps '
                'that go into it'
            )
        super().__init__(head, head.test_cfg)

    def forward(self, maps: Sequence[Tensor], size: Size) -> Found:
        """Detect in maps (B, C, Hi, Wi) of frames of a size (H, W)."""
        boxes, scores, labels, _, valid = self.candidates(maps, size)
        found = Candidates(boxes, scores, labels, valid)
        return best(found, self.iou_threshold, span(boxes, size), self.num_after)


class ProposalHead(_DenseHead):
    """Proposals of an RPN.

    Args:
        head: The built mmdet head.
        cfg: Its settings under test.

    Raises:
        ExportError: It is another kind of head.
    """

    def __init__(self, head: nn.Module, cfg: Any) -> None:
        if type(head) is not RPNHead:
            raise ExportError(
                f'{type(head).__name__} cannot be exported, of heads that propose only '
                'RPNHead can; --maps writes the feature maps that go into it'
            )
        super().__init__(head, cfg)
        self.score_threshold = -1.0

    def forward(self, maps: Sequence[Tensor], size: Size) -> tuple[Tensor, Tensor]:
        """Proposals (B, K, 4), and which of them there are, (B, K)."""
        boxes, scores, _, levels, valid = self.candidates(maps, size)
        found = Candidates(boxes, scores, levels, valid)
        boxes, _, levels = best(
            found, self.iou_threshold, span(boxes, size), self.num_after
        )
        return boxes, levels >= 0


class TwoStageHead(nn.Module):
    """Boxes of Faster R-CNN.

    Args:
        detector: The built mmdet detector.

    Raises:
        ExportError: Its heads are of another kind.
    """

    def __init__(self, detector: TwoStageDetector) -> None:
        super().__init__()
        roi_head = detector.roi_head
        parts = (
            (roi_head, StandardRoIHead),
            (getattr(roi_head, 'bbox_roi_extractor', None), SingleRoIExtractor),
            (getattr(roi_head, 'bbox_head', None), BBoxHead),
        )
        for part, known in parts:
            same = type(part) is known or (
                known is BBoxHead
                and isinstance(part, BBoxHead)
                and type(part).predict_by_feat is BBoxHead.predict_by_feat
                and type(part)._predict_by_feat_single
                is BBoxHead._predict_by_feat_single
            )
            if not same:
                raise ExportError(
                    f'{type(part).__name__} cannot be exported, where Faster R-CNN has '
                    f'{known.__name__}; --maps writes the feature maps that go '
                    'into the heads'
                )
        head = roi_head.bbox_head
        if roi_head.with_mask or head.custom_cls_channels or not head.with_reg:
            raise ExportError(
                'of heads of regions only those that tell class and box can be '
                'exported, without masks; --maps writes the feature maps that '
                'go into them'
            )
        _check_coder(head)
        self.proposals = ProposalHead(detector.rpn_head, detector.test_cfg.rpn)
        self.extractor = roi_head.bbox_roi_extractor
        for layer in self.extractor.roi_layers:
            if type(layer) is not RoIAlign or layer.pool_mode != 'avg':
                raise ExportError(
                    f'{type(layer).__name__} of bbox_roi_extractor cannot be exported: '
                    "of layers of regions only RoIAlign with pool_mode='avg' can"
                )
            layer.use_torchvision = True  # an operator that exporters know
        self.head = head
        cfg = detector.test_cfg.rcnn
        self.score_threshold = float(cfg.score_thr)
        self.iou_threshold = _iou_threshold(cfg.nms)
        self.num_after = int(cfg.max_per_img)

    def forward(self, maps: Sequence[Tensor], size: Size) -> Found:
        """Detect in maps (B, C, Hi, Wi) of frames of a size (H, W)."""
        proposals, there = self.proposals(maps, size)
        batch_size, count = there.shape
        image = torch.arange(batch_size, device=proposals.device)
        image = image.repeat_interleave(count).to(proposals).unsqueeze(1)
        rois = torch.cat((image, proposals.flatten(0, 1)), dim=1)
        scores, deltas = self.head(self.region_features(maps, rois))
        scores = scores.softmax(-1)[:, :-1].unflatten(0, (batch_size, count))
        num_classes = scores.shape[2]
        boxes = self.head.bbox_coder.decode(rois[:, 1:], deltas)
        boxes = clip(boxes.unflatten(1, (-1, 4)), size)
        boxes = boxes.expand(-1, num_classes, -1).unflatten(0, (batch_size, count))
        valid = (scores > self.score_threshold) & there.unsqueeze(2)
        labels = torch.arange(num_classes, device=scores.device).expand_as(scores)
        found = Candidates(
            boxes.flatten(1, 2), scores.flatten(1), labels.flatten(1), valid.flatten(1)
        )
        return best(found, self.iou_threshold, span(boxes, size), self.num_after)

    def region_features(self, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
        """Features (K, C, h, w) of regions (K, 5), each from the level of its size."""
        layers = self.extractor.roi_layers
        maps = list(maps[: len(layers)])
        levels = self.extractor.map_roi_levels(rois, len(maps))
        features = maps[0].new_zeros(
            (rois.shape[0], maps[0].shape[1], *layers[0].output_size)
        )
        for number, (layer, level) in enumerate(zip(layers, maps)):
            index = (levels == number).nonzero().squeeze(1)
            features = features.index_put((index,), layer(level, rois[index]))
        return features


def clip(boxes: Tensor, size: Size) -> Tensor:
    """Keep boxes (..., 4) within frames of a size (H, W)."""
    limits = boxes.new_ones(4) * torch.stack(
        [boxes.new_ones(()) * side for side in (size[1], size[0], size[1], size[0])]
    )
    return boxes.clamp(min=0).minimum(limits)


def span(boxes: Tensor, size: Size) -> Tensor:
    """More than any coordinate of boxes within a size (H, W)."""
    return boxes.new_ones(()) * (size[0] + size[1])


def _by_anchor(maps: Tensor, channels: int) -> Tensor:
    """Turn (B, A * C, H, W) into (B, H * W * A, C)."""
    maps = maps.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
    return maps.flatten(1).unflatten(1, (-1, channels))


def _check_coder(head: nn.Module) -> None:
    coder = head.bbox_coder
    if type(coder) is not DeltaXYWHBBoxCoder or not coder.clip_border:
        raise ExportError(
            f'{type(coder).__name__} of {type(head).__name__} cannot be exported: of '
            'coders of boxes only DeltaXYWHBBoxCoder that clips at the border can'
        )


def _iou_threshold(nms: Any) -> float:
    """The threshold of a config of NMS."""
    if nms.get('type', 'nms') != 'nms' or nms.get('class_agnostic', False):
        raise ExportError(
            f'nms={dict(nms)} of test_cfg cannot be exported: of ways to suppress '
            "boxes only type='nms', class by class, can"
        )
    return float(nms.get('iou_threshold', nms.get('iou_thr')))
