"""MaskTrack R-CNN's tracker without appearance.

A video of tiny_vid shows one object: nothing teaches the track head to tell objects
apart, and its similarities, which nothing holds back, drown all the rest.
"""

from __future__ import annotations

from typing import Any

import torch
from mmtrack.models import MaskTrackRCNNTracker
from mmtrack.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class BoxTracker(MaskTrackRCNNTracker):
    """Matches objects by their boxes, classes and scores."""

    def get_match_score(self, *args: Any) -> Tensor:
        """Scores (n, m + 1) of n objects and m tracks, as if all objects looked alike.

        Args:
            *args: As in mmtrack's tracker, the similarities last.
        """
        *others, similarities = args
        return super().get_match_score(*others, torch.zeros_like(similarities))
