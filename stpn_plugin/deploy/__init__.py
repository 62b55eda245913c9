"""Trained models as graphs, and what runs these."""

from .errors import ExportError
from .exporting import check_packages, export_model, write_graphs
from .graphs import Graphs
from .onnx_model import OnnxSTPN, OnnxVideoDetector

__all__ = [
    'ExportError',
    'Graphs',
    'OnnxSTPN',
    'OnnxVideoDetector',
    'check_packages',
    'export_model',
    'write_graphs',
]
