"""Evaluation: pure functions, the metric on top of them, and result files."""

from .functional import (
    ERROR_TYPES,
    MOTION_RANGES,
    DetectionMatching,
    ErrorBreakdown,
    VIDMotionEvaluator,
    error_breakdown,
    frame_scores,
    load_motion_iou_mat,
    motion_iou,
    nanmean,
    vid_motion_ap,
)
from .ground_truth import VIDGroundTruth, load_vid_ground_truth
from .metrics import DumpVideoResults, VIDMotionMetric
from .prediction_files import read_predictions, write_predictions
from .result_files import load_results, write_coco_json, write_vid_submission
from .video_evaluator import MetricError, VideoEvaluator

__all__ = [
    'DetectionMatching',
    'DumpVideoResults',
    'ERROR_TYPES',
    'ErrorBreakdown',
    'MOTION_RANGES',
    'MetricError',
    'VIDGroundTruth',
    'VIDMotionEvaluator',
    'VIDMotionMetric',
    'VideoEvaluator',
    'error_breakdown',
    'frame_scores',
    'load_motion_iou_mat',
    'load_results',
    'load_vid_ground_truth',
    'motion_iou',
    'nanmean',
    'read_predictions',
    'vid_motion_ap',
    'write_coco_json',
    'write_predictions',
    'write_vid_submission',
]
