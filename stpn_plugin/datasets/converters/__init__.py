"""Converters of annotations to the CocoVID files that mmtrack reads.

:func:`convert_vid` and :func:`convert_det` are for ILSVRC2015. For other formats
:mod:`.readers` read what they hold, and :func:`write_clips` writes it.
"""

from .clips import (
    Clip,
    LabelledImage,
    LabelledObject,
    SetSummary,
    Source,
    split_clips,
    write_clips,
)
from .imagenet_det import convert_det
from .imagenet_vid import convert_vid
from .report import ConversionError, Problem, ProblemKind, Report

__all__ = [
    'Clip',
    'ConversionError',
    'LabelledImage',
    'LabelledObject',
    'Problem',
    'ProblemKind',
    'Report',
    'SetSummary',
    'Source',
    'convert_det',
    'convert_vid',
    'split_clips',
    'write_clips',
]
