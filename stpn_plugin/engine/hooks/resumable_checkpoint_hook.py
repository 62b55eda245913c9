"""Hook that saves all that a training needs to go on as if it had not stopped."""

from __future__ import annotations

import os.path as osp
import signal
import zlib
from collections import deque
from typing import Any, Iterator

import torch
from mmengine.dist import barrier, get_rank, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmtrack.registry import HOOKS
from torch import Tensor

from ...builders import check_finite
from ...utils import remove_unfinished
from ...utils.random_states import random_state, set_random_state
from ..checkpoints import BACKEND, INTERIM, find_checkpoint, point_to
from ..ranks import gathered, highest
from ..resumable_data import ResumableLoader, make_resumable, spare_workers
from ..stop_signals import StopSignals

STATE = 'training_state'


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """Save checkpoints, whole, from which training goes on bit by bit.

    Arguments and names of files are those of mmengine's ``CheckpointHook``. Besides:

    * A checkpoint gets its name when it is complete and on the disk. Then
      ``last_checkpoint`` names it, and then older ones are removed.
    * Under ``training_state`` it holds the state of the random generators of each
      process and of its workers, how much of the epoch is done, and gradients that have
      been accumulated but not used. Training that resumes has the losses of one that
      was never stopped. That takes the same number of processes and workers.
    * SIGTERM, which slurm sends before it takes a machine away, and SIGINT save
      ``interim.pth`` after the iteration, and end the process with status 143 and 130.
      All processes end after the same iteration. ``interim.pth`` is also written before
      a validation, unless there is a checkpoint of the iteration; the next checkpoint
      replaces it.
    * ``resume=True`` without ``load_from`` takes the newest whole checkpoint, see
      :func:`stpn_plugin.engine.checkpoints.find_checkpoint`.
    * Validation draws no random numbers from training.
    * Weights that are no finite numbers are not saved.

    Attributes:
        signals: What asked the training to end.
    """

    # mmengine has no types for them.
    backend_args: dict | None
    file_backend: Any
    keep_ckpt_ids: deque

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_local = '://' not in str(self.out_dir or '')
        if is_local and self.file_client_args is None and self.backend_args is None:
            self.backend_args = dict(backend=BACKEND)
        self.signals = StopSignals()
        self._trains = False
        self._resumed: dict[str, Any] | None = None
        self._loader: ResumableLoader | None = None
        self._being_saved: dict[str, Any] | None = None
        self._before_val: dict[str, Any] | None = None
        self._saved_iteration = -1

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint from which training goes on, if nobody has.

        Raises:
            ValueError: There are checkpoints, and none will do.
        """
        self._trains = isinstance(runner.optim_wrapper, OptimWrapper)
        # mmengine has no public way to ask or to choose.
        if self._trains and runner._resume and runner._load_from is None:
            folder = self.out_dir or runner.work_dir
            if self.out_dir is not None:
                name = osp.basename(runner.work_dir.rstrip(osp.sep))
                folder = osp.join(folder, name)
            if '://' not in folder:
                runner._load_from = find_checkpoint(folder, runner.work_dir)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the state of the training that goes on."""
        state = checkpoint.pop(STATE, None)
        self._resumed = state if self._trains and runner._resume else None

    def before_train(self, runner: Runner) -> None:
        """Go on where the checkpoint was written."""
        super().before_train(runner)
        self._follow_move(runner)
        if is_main_process() and self._writes_files() and osp.isdir(self.out_dir):
            for path in remove_unfinished(self.out_dir, '.pth'):
                runner.logger.info(f'Removed what a killed training left: {path}')
        self._saved_iteration = runner.iter if self._resumed else -1
        self._restore(runner)
        spare_workers(runner)
        self.signals.catch(insist=not runner.distributed)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Save if it is time, and if a signal came."""
        super().after_train_iter(runner, *args, **kwargs)
        number = highest(self.signals.received)
        if number:
            self._save_interim(runner, runner.epoch, runner.iter + 1)
            self._end(runner, number)

    def before_val(self, runner: Runner) -> None:
        """Save what validation may lose, and keep the random state."""
        if self._trains:
            self._before_val = random_state()
            if self.interval > 0:
                self._save_interim(runner, runner.epoch, runner.iter)

    def after_val_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """End if a signal came: the training is on the disk."""
        self._end_validation(runner)

    def after_val(self, runner: Runner) -> None:
        """Go on with the random state of training."""
        if self._before_val is not None:
            self._end_validation(runner)
            set_random_state(self._before_val)
            self._before_val = None

    def after_train(self, runner: Runner) -> None:
        """Let signals do what they did before."""
        super().after_train(runner)
        self.signals.release()

    def before_save_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Add the state of the training."""
        if self._being_saved is not None and 'optimizer' in checkpoint:
            checkpoint[STATE] = self._being_saved

    # What mmengine's hook calls to save has no public name.
    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        outdated: list[int] = []
        if self.max_keep_ckpts > 0 and list(self.keep_ckpt_ids)[-1:] != [step]:
            ids = [*self.keep_ckpt_ids, step]
            outdated = ids[: -self.max_keep_ckpts]
            self.keep_ckpt_ids = deque(ids, self.max_keep_ckpts)
            # In the file, those to be removed too: a training that is killed before it
            # removes them does so when it is resumed.
            runner.message_hub.update_info('keep_ckpt_ids', ids)
        self._write(runner, self.filename_tmpl.format(step), meta, self.save_optimizer)
        if self.max_keep_ckpts > 0:
            ids = list(self.keep_ckpt_ids)
            runner.message_hub.update_info('keep_ckpt_ids', ids)
        if is_main_process():
            for old in outdated:
                self._remove(self.filename_tmpl.format(old))
            self._remove(INTERIM)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint; the one that it replaces is removed afterwards."""
        if self.save_best is None:
            return
        backend = self.file_backend
        later = self.file_backend = _RemovesLater(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        later.remove_now(keep=_best_paths(self))

    def _save_interim(self, runner: Runner, epoch: int, iteration: int) -> None:
        if self._saved_iteration != iteration:
            self._write(runner, INTERIM, dict(epoch=epoch, iter=iteration), True)

    def _write(
        self, runner: Runner, name: str, meta: dict[str, Any], save_optimizer: bool
    ) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        check_finite(_bare(runner.model).state_dict(), f'{path}, not written,')
        self.last_ckpt = path
        runner.message_hub.update_info('last_ckpt', path)
        self._being_saved = self._state(runner)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._being_saved = None
        self._saved_iteration = meta['iter'] if save_optimizer else -1
        if is_main_process():
            point_to(path, runner.work_dir)

    def _remove(self, name: str) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)

    def _writes_files(self) -> bool:
        return self.backend_args == dict(backend=BACKEND)

    def _state(self, runner: Runner) -> dict[str, Any]:
        """What the files of mmengine lack; all processes have to ask for it."""
        own = dict(
            random=self._before_val or random_state(),
            data=self._loader.state() if self._loader is not None else None,
            gradients=_gradients(runner),
            buffers=_own_buffers(runner),
        )
        return dict(ranks=gathered(own))

    def _restore(self, runner: Runner) -> None:
        resumed, self._resumed = self._resumed, None
        ranks = resumed['ranks'] if resumed else []
        own = None
        if len(ranks) == runner.world_size:
            own = ranks[get_rank()]
        elif ranks:
            runner.logger.warning(
                f'{len(ranks)} processes wrote the checkpoint, now they are '
                f'{runner.world_size}: training goes on, but not bit by bit as it '
                'would have'
            )
        data = (own or (ranks[0] if ranks else {})).get('data')
        self._loader = make_resumable(runner, data)
        if own is None:
            return
        parameters = dict(_bare(runner.model).named_parameters())
        for name, gradient in own['gradients'].items():
            parameters[name].grad = gradient.to(parameters[name].device)
        buffers = dict(_bare(runner.model).named_buffers())
        for name, value in own['buffers'].items():
            buffers[name].copy_(value)
        if own['gradients']:
            runner.logger.info('Accumulated gradients are restored.')
        set_random_state(own['random'])

    def _follow_move(self, runner: Runner) -> None:
        """Look for the best checkpoints where they are, not where they were."""
        hub = runner.message_hub
        for key in list(hub.runtime_info):
            if key.startswith('best_ckpt') and hub.get_info(key):
                name = osp.basename(hub.get_info(key))
                hub.update_info(key, self.file_backend.join_path(self.out_dir, name))
        if self.save_best is None:
            return
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = hub.runtime_info.get('best_ckpt')
        else:
            for key in self.key_indicators:
                path = hub.runtime_info.get(f'best_ckpt_{key}')
                self.best_ckpt_path_dict[key] = path

    def _end_validation(self, runner: Runner) -> None:
        # Processes differ in the number of their batches, so each is on its own. The
        # first to end makes the launcher end the others.
        if self._trains and self._before_val is not None and self.signals.received:
            self._end(runner, self.signals.received, alone=True)

    def _end(self, runner: Runner, number: int, alone: bool = False) -> None:
        if not alone:
            barrier()  # a launcher kills all as soon as one has ended
        name = signal.Signals(number).name
        saved = f'its state is in {self.last_ckpt}, go on with --resume'
        runner.logger.warning(f'{name} ended the training; {saved}')
        self.signals.release()
        raise SystemExit(128 + number)


class _RemovesLater:
    """A file backend that removes files when it is told to."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._removed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._removed.append(path)

    def remove_now(self, keep: set[str]) -> None:
        for path in self._removed:
            if path not in keep and self._backend.isfile(path):
                self._backend.remove(path)


def _best_paths(hook: CheckpointHook) -> set[str]:
    paths = getattr(hook, 'best_ckpt_path_dict', None) or {}
    return {getattr(hook, 'best_ckpt_path', None), *paths.values()} - {None}


def _bare(model: torch.nn.Module) -> torch.nn.Module:
    return model.module if is_model_wrapper(model) else model


def _checksum(value: Tensor) -> int:
    return zlib.crc32(value.reshape(-1).view(torch.uint8).numpy().tobytes())


def _own_buffers(runner: Runner) -> dict[str, Tensor]:
    """Buffers that are not those of the first process, which are in the file anyway."""
    if runner.world_size == 1:
        return {}
    buffers = {
        name: buffer.detach().cpu()
        for name, buffer in _bare(runner.model).named_buffers()
    }
    sums = {name: _checksum(value) for name, value in buffers.items()}
    first = gathered(sums)[0]
    return {name: v for name, v in buffers.items() if sums[name] != first.get(name)}


def _gradients(runner: Runner) -> dict[str, Tensor]:
    """Gradients that wait for the rest of an accumulation."""

    def waiting() -> Iterator[tuple[str, Tensor]]:
        for name, parameter in _bare(runner.model).named_parameters():
            if parameter.grad is not None:
                yield name, parameter.grad

    # Old versions of torch leave zeros behind where today's leave nothing.
    if not any(bool(gradient.any()) for _, gradient in waiting()):
        return {}
    return {name: gradient.detach().cpu() for name, gradient in waiting()}
