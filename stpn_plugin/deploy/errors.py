"""What keeps a model from being exported, and exported ones from being run."""

from __future__ import annotations


class ExportError(ValueError):
    """A model cannot be exported, or an exported one cannot be run."""
