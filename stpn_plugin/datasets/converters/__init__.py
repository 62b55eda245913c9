"""Converters of ILSVRC2015 annotations to the CocoVID files that mmtrack reads."""

from .imagenet_det import convert_det
from .imagenet_vid import convert_vid
from .report import ConversionError, Problem, ProblemKind, Report

__all__ = [
    'ConversionError',
    'Problem',
    'ProblemKind',
    'Report',
    'convert_det',
    'convert_vid',
]
