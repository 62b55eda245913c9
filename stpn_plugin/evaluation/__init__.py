"""Evaluation: pure functions, the metric on top of them, and result files."""

from .functional import (
    MOTION_RANGES,
    VIDMotionEvaluator,
    load_motion_iou_mat,
    motion_iou,
    vid_motion_ap,
)
from .ground_truth import VIDGroundTruth, load_vid_ground_truth
from .metrics import DumpVideoResults, VIDMotionMetric
from .result_files import load_results, write_coco_json, write_vid_submission

__all__ = [
    'DumpVideoResults',
    'MOTION_RANGES',
    'VIDGroundTruth',
    'VIDMotionEvaluator',
    'VIDMotionMetric',
    'load_motion_iou_mat',
    'load_results',
    'load_vid_ground_truth',
    'motion_iou',
    'vid_motion_ap',
    'write_coco_json',
    'write_vid_submission',
]
