"""Evaluation: pure functions, the metric on top of them, and result files."""

from .evaluator_configs import (
    EVALUATOR_OF,
    as_list,
    check_outputs,
    format_only_evaluator,
    select_evaluators,
    set_options,
)
from .functional import (
    ERROR_TYPES,
    MOTION_RANGES,
    DetectionMatching,
    ErrorBreakdown,
    VIDMotionEvaluator,
    confusion_matrix,
    error_breakdown,
    frame_scores,
    load_motion_iou_mat,
    motion_iou,
    nanmean,
    vid_motion_ap,
)
from .ground_truth import VIDGroundTruth, load_vid_ground_truth
from .metrics import DumpVideoResults, VIDMotionMetric
from .offline import evaluate_results
from .prediction_files import read_predictions, write_predictions
from .result_files import load_results, write_coco_json, write_vid_submission
from .saved_run import SavedRun, load_saved_run
from .video_evaluator import MetricError, VideoEvaluator

__all__ = [
    'DetectionMatching',
    'DumpVideoResults',
    'ERROR_TYPES',
    'EVALUATOR_OF',
    'ErrorBreakdown',
    'MOTION_RANGES',
    'MetricError',
    'SavedRun',
    'VIDGroundTruth',
    'VIDMotionEvaluator',
    'VIDMotionMetric',
    'VideoEvaluator',
    'as_list',
    'check_outputs',
    'confusion_matrix',
    'error_breakdown',
    'evaluate_results',
    'format_only_evaluator',
    'frame_scores',
    'load_motion_iou_mat',
    'load_results',
    'load_saved_run',
    'load_vid_ground_truth',
    'motion_iou',
    'nanmean',
    'read_predictions',
    'select_evaluators',
    'set_options',
    'vid_motion_ap',
    'write_coco_json',
    'write_predictions',
    'write_vid_submission',
]
