"""Functions of arrays that need no runner."""

from .confusion_matrix import confusion_matrix
from .detection_matching import DetectionMatching
from .error_breakdown import ERROR_TYPES, ErrorBreakdown, error_breakdown
from .frame_scores import frame_scores
from .motion_iou import load_motion_iou_mat, motion_iou
from .vid_motion_ap import MOTION_RANGES, VIDMotionEvaluator, nanmean, vid_motion_ap

__all__ = [
    'DetectionMatching',
    'ERROR_TYPES',
    'ErrorBreakdown',
    'MOTION_RANGES',
    'VIDMotionEvaluator',
    'confusion_matrix',
    'error_breakdown',
    'frame_scores',
    'load_motion_iou_mat',
    'motion_iou',
    'nanmean',
    'vid_motion_ap',
]
