"""Functions of arrays that need no runner."""

from .motion_iou import load_motion_iou_mat, motion_iou
from .vid_motion_ap import MOTION_RANGES, VIDMotionEvaluator, nanmean, vid_motion_ap

__all__ = [
    'MOTION_RANGES',
    'VIDMotionEvaluator',
    'load_motion_iou_mat',
    'motion_iou',
    'nanmean',
    'vid_motion_ap',
]
