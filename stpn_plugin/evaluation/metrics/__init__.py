"""Metrics for mmengine's evaluator."""

from .dump_video_results import DumpVideoResults
from .vid_motion_metric import VIDMotionMetric

__all__ = ['DumpVideoResults', 'VIDMotionMetric']
