"""Hook that ends a process whose launcher is gone."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmtrack.registry import HOOKS

from ...utils import end_with_parent

# For one iteration and a checkpoint.
_GRACE_SECONDS = 120.0


@HOOKS.register_module()
class FollowLauncherHook(Hook):
    """Let no process of a training or test outlive a launcher that was killed.

    ``torchrun`` ends its processes unless it is killed itself. Then each gets SIGTERM,
    at which :class:`ResumableCheckpointHook` saves, and is ended two minutes later.
    Processes of slurm and MPI have daemons of their own that see to it.
    """

    def __init__(self) -> None:
        self._follows = False

    def before_run(self, runner: Runner) -> None:
        """Begin to watch the launcher."""
        if runner.launcher == 'pytorch' and not self._follows:
            self._follows = True
            end_with_parent(_GRACE_SECONDS)
