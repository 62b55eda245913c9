"""Hook that stops a run whose model and data have different classes."""

from __future__ import annotations

from typing import Any, Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmtrack.datasets import MOTChallengeDataset
from mmtrack.registry import HOOKS

from ...builders import ConfigError
from ...models.class_check import (
    check_class_names,
    check_num_classes,
    checkpoint_classes,
)
from ...utils import classes_in


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Check the classes before training, validation and testing.

    The heads must tell as many classes as the dataset has, and before a test the
    checkpoint must have been trained on them; see :func:`check_num_classes` and
    :func:`check_class_names`.

    mmdet's ``NumClassCheckHook`` does not look at tests and checkpoints, takes
    backbones and trackers' other networks for heads, and does not show the classes.
    """

    def __init__(self) -> None:
        self.trained_on: tuple[str, ...] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember on which classes the weights were trained.

        Args:
            runner: The runner.
            checkpoint: Content of the checkpoint.
        """
        self.trained_on = checkpoint_classes(checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Check the heads; the classes of the checkpoint are past from now on.

        Args:
            runner: The runner.
        """
        self.trained_on = None
        self._check(runner, runner.train_dataloader.dataset)

    def before_val(self, runner: Runner) -> None:
        """Check heads and checkpoint.

        Args:
            runner: The runner.
        """
        self._check(runner, runner.val_dataloader.dataset)

    def before_test(self, runner: Runner) -> None:
        """Check heads and checkpoint.

        Args:
            runner: The runner.
        """
        self._check(runner, runner.test_dataloader.dataset)

    def _check(self, runner: Runner, dataset: Any) -> None:
        classes = classes_in(getattr(dataset, 'metainfo', None))
        if classes == MOTChallengeDataset.METAINFO['CLASSES']:
            return  # of which files have a part: stock configs test pedestrians so
        check_num_classes(runner.model, classes)
        check_class_names(self.trained_on, classes, 'The checkpoint')


def with_class_check(hooks: Sequence[dict] | None) -> list[dict]:
    """Add the hook to the custom hooks of a config that lacks it.

    Args:
        hooks: The config's ``custom_hooks``.

    Returns:
        The hooks, with a :class:`ClassCheckHook` among them.

    Raises:
        ConfigError: They are something else.
    """
    hooks = hooks or []
    if not isinstance(hooks, (list, tuple)) or not all(
        isinstance(hook, dict) and 'type' in hook for hook in hooks
    ):
        raise ConfigError(f'custom_hooks has to be a list of dict(type=...): {hooks}')
    hooks = list(hooks)
    if any(str(hook['type']).split('.')[-1] == 'ClassCheckHook' for hook in hooks):
        return hooks
    return [*hooks, dict(type='mmtrack.ClassCheckHook')]
