"""Hook that notices losses that are infinite or no numbers."""

from __future__ import annotations

from typing import Any, Iterator

import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmtrack.registry import HOOKS

from ..ranks import gathered, highest


class NonFiniteLossError(ValueError):
    """A loss is infinite or no number, and training must not go on."""


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop, or leave out the update, when a loss is infinite or no number.

    The message names the iteration, the terms of the loss, and the files of the samples
    of each process in which it happened. All processes do the same.

    Args:
        action: ``'stop'`` raises :class:`NonFiniteLossError`, before a checkpoint is
            written. ``'skip'`` leaves weights and buffers as they are, also if only
            gradients are not finite, and logs a warning. With accumulated gradients,
            the whole update is left out to which the loss would have belonged.
        patience: Stop nevertheless after this number of iterations in a row: the
            weights themselves are bad.
    """

    priority = 'HIGH'  # before anything is made of the losses

    def __init__(self, action: str = 'stop', patience: int = 10) -> None:
        if action not in ('stop', 'skip'):
            raise ValueError(f"action has to be 'stop' or 'skip': {action!r}")
        self.action = action
        self.patience = patience
        self._in_a_row = 0
        self._left_out = False
        self._buffers: dict[str, torch.Tensor] = {}

    def before_train(self, runner: Runner) -> None:
        """Look at the gradients before each update, if updates may be left out."""
        self._in_a_row = 0
        if self.action == 'skip':
            for optimizer in _optimizers(runner.optim_wrapper):
                optimizer.register_step_pre_hook(self._check_gradients)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Keep the buffers, which the forward pass changes: averages of features."""
        if self.action == 'skip':
            self._buffers = {
                name: buffer.clone() for name, buffer in runner.model.named_buffers()
            }

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, torch.Tensor] | None = None,
    ) -> None:
        """Look at the losses.

        Raises:
            NonFiniteLossError: They are not finite, and training is to stop.
        """
        # Without a term of it, the gradients of another process may be the cause.
        bad = _bad_terms(outputs or {})
        left_out, self._left_out = self._left_out, False
        if not highest(int(bool(bad) or left_out)):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        where = gathered(_tell(bad, data_batch) if bad else '')
        causes = [text for text in where if text]
        if not causes:
            causes = [f'gradients only, {_files_of(data_batch)}']
        message = (
            f'iteration {runner.iter + 1}: the loss is not finite: {"; ".join(causes)}'
        )
        if self.action == 'stop':
            raise NonFiniteLossError(
                f'{message}. Weights of earlier iterations are in the checkpoints of '
                f'{runner.work_dir}. To leave such updates out: '
                'default_hooks.finite_loss.action=skip'
            )
        if self._in_a_row >= self.patience:
            raise NonFiniteLossError(
                f'{message}. It is iteration {self._in_a_row} in a row that is left out'
            )
        for name, buffer in runner.model.named_buffers():
            buffer.copy_(self._buffers[name])
        runner.logger.warning(f'{message}; the update is left out')

    def _check_gradients(
        self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any
    ) -> None:
        """Take the gradients away from an optimizer unless they are finite.

        Those of a loss that is not finite are not, and after they have been reduced all
        processes have the same.
        """
        groups = optimizer.param_groups
        parameters = [p for group in groups for p in group['params']]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            return
        self._left_out = True
        for parameter in parameters:
            parameter.grad = None


def _optimizers(wrapper: OptimWrapper) -> Iterator[torch.optim.Optimizer]:
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else (wrapper,)
    return (each.optimizer for each in wrappers)


def _bad_terms(outputs: dict[str, Any]) -> dict[str, float]:
    """The terms of the loss that are not finite; their sum alone is looked at first."""
    total = outputs.get('loss')
    if not torch.is_tensor(total) or bool(torch.isfinite(total).all()):
        return {}
    terms = {
        name: float(value.float().sum())
        for name, value in outputs.items()
        if 'loss' in name and torch.is_tensor(value)
    }
    bad = {
        n: v for n, v in terms.items() if v != v or v in (float('inf'), -float('inf'))
    }
    return {n: v for n, v in bad.items() if n != 'loss'} or {'loss': float('nan')}


def _tell(terms: dict[str, float], data_batch: Any) -> str:
    values = ', '.join(f'{name} {value}' for name, value in terms.items())
    return f'{values} in {_files_of(data_batch)}'


def _files_of(data_batch: Any) -> str:
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    if not isinstance(samples, (list, tuple)):
        samples = [samples]
    paths: list[Any] = []
    for sample in samples:
        for item in sample if isinstance(sample, (list, tuple)) else [sample]:
            path = getattr(item, 'metainfo', {}).get('img_path')
            paths += path if isinstance(path, (list, tuple)) else [path]
    return ', '.join(str(path) for path in paths if path) or 'unknown files'
