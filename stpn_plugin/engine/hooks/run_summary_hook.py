"""Hook that ends a training with what came out and what to do next."""

from __future__ import annotations

import os.path as osp
import shlex
import time

from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint
from mmtrack.registry import HOOKS

# Names of AP50 in the metrics of a validation; the first that is there counts.
AP50_KEYS = ('AP50', 'bbox_mAP_50')
BEST = 'best_ap50'  # with its iteration, in the message hub


@HOOKS.register_module()
class RunSummaryHook(Hook):
    """Print one block at the end of a training.

    It has the best AP50 of the validations, the checkpoint that goes with it if it was
    kept, else the last one, and the command that tests it.
    """

    priority = 'LOWEST'  # when everything is written

    def __init__(self) -> None:
        self.begin = time.monotonic()

    def before_train(self, runner: Runner) -> None:
        """Start the clock.

        Args:
            runner: The runner.
        """
        self.begin = time.monotonic()

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Remember the best AP50 and its iteration.

        Args:
            runner: The runner.
            metrics: What the validation found.
        """
        ap50 = find_ap50(metrics or {})
        best = self._best(runner)
        if ap50 is not None and (best is None or ap50 > best[0]):
            # Saved and resumed with the training, as the best checkpoint is.
            runner.message_hub.update_info(BEST, (ap50, runner.iter))

    def after_train(self, runner: Runner) -> None:
        """Print the block.

        Args:
            runner: The runner.
        """
        minutes = (time.monotonic() - self.begin) / 60
        lines = [f'trained {runner.iter} iterations in {minutes:.1f} minutes']
        found = self._best(runner)
        if found is not None:
            ap50, iteration = found
            lines.append(f'best AP50  {100 * ap50:.1f} %, at iteration {iteration}')
        best = runner.message_hub.runtime_info.get('best_ckpt')
        checkpoint = best or find_latest_checkpoint(runner.work_dir)
        if checkpoint:
            checkpoint = osp.relpath(checkpoint)
            lines.append(f'checkpoint {checkpoint}')
            if runner.cfg.get('test_dataloader') and runner.cfg.filename:
                config = osp.relpath(runner.cfg.filename)
                command = shlex.join(['python', 'tools/test.py', config, checkpoint])
                lines.append(f'next       {command}')
        rule = '-' * 60
        runner.logger.info('\n'.join(['', rule, *lines, rule]))

    @staticmethod
    def _best(runner: Runner) -> tuple[float, int] | None:
        return runner.message_hub.runtime_info.get(BEST)


def find_ap50(metrics: dict[str, float]) -> float | None:
    """AP50 among the metrics of a validation.

    Args:
        metrics: Values by name, as ``vid/AP50``.

    Returns:
        AP50 from 0 to 1, None if it is not there.
    """
    by_name = {key.split('/', 1)[-1]: value for key, value in metrics.items()}
    return next((by_name[key] for key in AP50_KEYS if key in by_name), None)
