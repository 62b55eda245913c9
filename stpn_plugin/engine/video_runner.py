"""The runner of the command line tools."""

from __future__ import annotations

from mmengine.evaluator import Evaluator
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from ..evaluation import VideoEvaluator
from .evaluators import as_list


@RUNNERS.register_module()
class VideoRunner(Runner):
    """mmengine's runner, with :class:`VideoEvaluator` in the place of ``Evaluator``."""

    def build_evaluator(self, evaluator: dict | list | Evaluator) -> Evaluator:
        """Build an evaluator.

        Args:
            evaluator (dict | list | Evaluator): As for mmengine's runner. A dict with
                a ``type`` of its own and ``metrics`` stays what it is.

        Returns:
            Evaluator: The evaluator.
        """
        if isinstance(evaluator, Evaluator) or (
            isinstance(evaluator, dict) and {'type', 'metrics'} <= evaluator.keys()
        ):
            return super().build_evaluator(evaluator)
        return VideoEvaluator(as_list(evaluator))
