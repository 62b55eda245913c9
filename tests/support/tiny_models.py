"""Detectors small enough for tests, around the prompted Swin backbone."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from torch import Tensor

CHANNELS = [16, 32, 64, 128]
NUM_CLASSES = 3

# What trackers add to a detector.
BYTE = dict(
    motion=dict(type='KalmanFilter'),
    tracker=dict(
        type='ByteTracker',
        obj_score_thrs=dict(high=0.4, low=0.1),
        init_track_thr=0.3,
        weight_iou_with_det_scores=True,
        match_iou_thrs=dict(high=0.1, low=0.5, tentative=0.3),
        num_frames_retain=30,
    ),
)
SORT = dict(
    motion=dict(type='KalmanFilter', center_only=False),
    tracker=dict(type='SORTTracker', obj_score_thr=0.3, match_iou_thr=0.5, reid=None),
)


def backbone(**kwargs: Any) -> dict[str, Any]:
    """A Swin of width 16."""
    return dict(
        type='mmtrack.STPNSwinTransformer',
        embed_dims=CHANNELS[0],
        depths=(1, 2, 1, 1),
        num_heads=(2, 2, 4, 8),
        mlp_ratio=2,
        drop_path_rate=0.1,
        **kwargs,
    )


def two_stages() -> dict[str, Any]:
    """A Swin of width 8 with two stages, of 8 and 16 channels."""
    return dict(
        type='mmtrack.STPNSwinTransformer',
        embed_dims=8,
        depths=(2, 1),
        num_heads=(1, 2),
        strides=(4, 2),
        out_indices=(0, 1),
        window_size=4,
        mlp_ratio=2,
        drop_path_rate=0.0,
    )


def predictor(**kwargs: Any) -> dict[str, Any]:
    """Attention predictor that fits :func:`backbone`."""
    return {
        **dict(
            type='AttentionPromptPredictor',
            in_channels=CHANNELS[-1],
            prompt_dims=CHANNELS[0],
            num_heads=4,
        ),
        **kwargs,
    }


def detector(base: str) -> ConfigDict:
    """An mmdet config, narrowed, around :func:`backbone`.

    Args:
        base: Config of mmdet's collection, such as
            ``faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py``.
    """
    model = get_config(f'mmdet::{base}').model
    model.pop('data_preprocessor', None)
    one_stage = 'roi_head' not in model
    model.backbone = ConfigDict(
        backbone(out_indices=(1, 2, 3) if one_stage else (0, 1, 2, 3))
    )
    model['_scope_'] = 'mmdet'
    # The layers of mmdet's DETRs take their width of 256 for granted.
    narrow(model, width=256 if 'detr' in base else 64)
    if one_stage:
        model.test_cfg.score_thr = 0.0  # untrained, all scores are low
        model.neck.update(in_channels=CHANNELS[1:])
        model.neck.pop('start_level', None)
    return model


def selsa_detector() -> ConfigDict:
    """Faster R-CNN whose boxes learn from other frames, as SELSA has it."""
    cfg = detector('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    cfg.roi_head.type = 'mmtrack.SelsaRoIHead'
    cfg.roi_head.bbox_roi_extractor.type = 'mmtrack.SingleRoIExtractor'
    cfg.roi_head.bbox_head.update(
        type='mmtrack.SelsaBBoxHead',
        num_shared_fcs=2,
        aggregator=dict(
            type='mmtrack.SelsaAggregator', in_channels=64, num_attention_blocks=4
        ),
    )
    return cfg


_SIZES = dict(
    num_classes=NUM_CLASSES,
    stacked_convs=1,
    num_convs=1,
    num_layers=1,
    num_query=40,
    feedforward_channels=32,
)


def qdtrack_parts() -> dict[str, Any]:
    """What the tracker has beside the detector."""
    cfg = get_config('mmtrack::mot/qdtrack/qdtrack_faster-rcnn_r50_fpn_4e_base.py')
    head = cfg.model.track_head
    head.roi_extractor.out_channels = 64
    head.embed_head.update(in_channels=64, conv_out_channels=32, fc_out_channels=32)
    head.embed_head.norm_cfg = None
    cfg.model.tracker.update(init_score_thr=0.3, obj_score_thr=0.3)
    return dict(track_head=head, tracker=cfg.model.tracker)


def narrow(cfg: Any, width: int) -> None:
    """Shrink widths and depths all through a config, in place."""
    if isinstance(cfg, (list, tuple)):
        for item in cfg:
            narrow(item, width)
    if not isinstance(cfg, dict):
        return
    for key, value in cfg.items():
        if key in _SIZES and isinstance(value, int):
            cfg[key] = _SIZES[key]
        elif key.endswith('channels') and value in (256, 1024):
            cfg[key] = width
        elif key == 'in_channels' and value == [256, 512, 1024, 2048]:
            cfg[key] = CHANNELS
        elif key == 'in_channels' and value == [512, 1024, 2048]:
            cfg[key] = CHANNELS[1:]
        else:
            narrow(value, width)


def narrow_mask2former(head: Any, num_queries: int = 20) -> None:
    """Shrink a head of Mask2Former to stand behind :func:`backbone`, in place."""
    sizes = dict(
        feedforward_channels=32,
        num_layers=1,
        num_queries=num_queries,
        num_points=64,
        num_feats=16,
        num_groups=4,
    )

    def shrink(cfg: Any) -> None:
        if isinstance(cfg, (list, tuple)):
            for item in cfg:
                shrink(item)
        if not isinstance(cfg, dict):
            return
        for key, value in cfg.items():
            if key == 'num_points' and value == 4:
                continue  # of deformable attention
            if key in sizes and isinstance(value, int):
                cfg[key] = sizes[key]
            elif key in ('embed_dims', 'feat_channels', 'out_channels'):
                cfg[key] = 32
            elif key == 'num_heads':
                cfg[key] = 4
            else:
                shrink(value)

    shrink(head)
    head.in_channels = CHANNELS


def samples(
    batch_size: int = 1,
    num_boxes: int = 2,
    size: Sequence[int] = (64, 96),
    frame_id: int = 0,
    video_id: int = 1,
    video_length: int = 3,
    with_mask: bool = False,
    num_refs: int = 0,
    seed: int = 0,
) -> list[TrackDataSample]:
    """Samples as ``PackTrackInputs`` and the data preprocessor make them."""
    rng = np.random.default_rng(seed)
    height, width = size
    made = []
    for _ in range(batch_size):
        low = rng.uniform(0, 0.5, (num_boxes, 2)) * (width, height)
        high = low + rng.uniform(0.2, 0.5, (num_boxes, 2)) * (width, height)
        boxes = np.concatenate((low, high), axis=1).astype(np.float32)
        instances = InstanceData(
            bboxes=torch.from_numpy(boxes),
            labels=torch.from_numpy(rng.integers(NUM_CLASSES, size=num_boxes)),
        )
        if with_mask:
            masks = np.zeros((num_boxes, height, width), np.uint8)
            for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int)):
                mask[y1:y2, x1:x2] = 1
            instances.masks = BitmapMasks(masks, height, width)
        sample = TrackDataSample()
        sample.gt_instances = instances
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
        sample.set_metainfo(
            dict(
                img_id=frame_id,
                ori_shape=tuple(size),
                img_shape=tuple(size),
                pad_shape=tuple(size),
                batch_input_shape=tuple(size),
                scale_factor=(1.0, 1.0),
                flip=False,
                flip_direction=None,
                frame_id=frame_id,
                video_id=video_id,
                video_length=video_length,
                is_video_data=True,
            )
        )
        for key in ('img_shape', 'pad_shape', 'batch_input_shape'):
            if num_refs:  # one value for one frame, as PackTrackInputs has it
                value = sample.get(key)
                refs = [value] * num_refs if num_refs > 1 else value
                sample.set_metainfo({f'ref_{key}': refs})
        made.append(sample)
    return made


def inputs(
    batch_size: int = 1,
    num_refs: int | None = 2,
    size: Sequence[int] = (64, 96),
    seed: int = 0,
) -> dict[str, Tensor]:
    """Preprocessed key frames, and support frames unless ``num_refs`` is None."""
    generator = torch.Generator().manual_seed(seed)
    made = dict(img=torch.randn(batch_size, 1, 3, *size, generator=generator))
    if num_refs is not None:
        made['ref_img'] = torch.randn(
            batch_size, num_refs, 3, *size, generator=generator
        )
    return made
