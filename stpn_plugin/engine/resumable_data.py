"""Training data that can go on where a checkpoint was written.

mmengine's loops start every epoch at its first batch, and load all batches again that
an iteration based training has seen. Here the batches that were seen are left out
before any is loaded, and each worker goes on with the random numbers that it would have
drawn next: with every batch a worker sends the state of its generators.
"""

from __future__ import annotations

import inspect
import itertools
import pickle
from contextlib import ExitStack
from typing import Any, Callable, Iterator, NamedTuple, Sequence

from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader, get_worker_info

from ..utils.processes import end_by_parent_only, end_with_parent
from ..utils.random_states import kept_random_state, random_state, set_random_state


class SentBatch(NamedTuple):
    """What a worker sends.

    Attributes:
        batch: The batch, None for one without samples.
        worker: Number of the worker.
        random_state: Its generators after the batch; in bytes, which ``pin_memory``
            does not look into.
    """

    batch: Any
    worker: int
    random_state: bytes


class SendingCollate:
    """Collates in a worker, and adds the state of its generators."""

    def __init__(self, collate: Callable[[list], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: list) -> SentBatch:
        """Collate samples, which may be none."""
        batch = self.collate(samples) if samples else None
        return SentBatch(batch, get_worker_info().id, pickle.dumps(random_state()))


class WorkerStart:
    """What a worker does first.

    A signal to all processes of a job is left to the process that trains, which still
    needs its workers.

    Args:
        stock: What it does otherwise.
        states: State of the generators of each worker; those that are missing start
            anew.
    """

    def __init__(
        self,
        stock: Callable[[int], Any] | None,
        states: dict[int, dict[str, Any]] | None = None,
    ) -> None:
        self.stock = stock
        self.states = states or {}

    def __call__(self, worker: int) -> None:
        """Start a worker."""
        end_by_parent_only()
        # Without it, one whose pipe is full never notices that its parent was killed.
        end_with_parent()
        if self.stock is not None:
            self.stock(worker)
        if worker in self.states:
            set_random_state(self.states[worker])


class RestOfBatches:
    """A batch sampler whose first pass may start anywhere.

    Args:
        batch_sampler: The batch sampler.
        num_workers: Workers of the loader, which give batch *i* to worker *i* modulo
            their number. Batches without samples come first, so that each batch gets
            to the same worker as in a pass from the beginning.

    Attributes:
        start: First batch of the next pass, 0 in those after it.
    """

    def __init__(self, batch_sampler: Any, num_workers: int) -> None:
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.start = 0

    @property
    def sampler(self) -> Any:
        """The sampler, for those who tell it the epoch."""
        return self.batch_sampler.sampler

    def __iter__(self) -> Iterator[Sequence[int]]:
        # At the first batch, not before: torch asks for two iterators and uses one.
        start, self.start = self.start, 0
        for _ in range(start % max(self.num_workers, 1)):
            yield []
        yield from itertools.islice(iter(self.batch_sampler), start, None)

    def __len__(self) -> int:
        return len(self.batch_sampler)


class ResumableLoader(DataLoader):
    """A data loader that tells how far it is, and can go on from there.

    Args:
        loader: A loader with a batch sampler, none of whose batches has been loaded.
        undrawn: Whether the first pass leaves the generators alone. Otherwise torch
            draws a number at the start of each pass.

    Attributes:
        passes: Number of passes that are complete.
        position: Number of batches of the present pass that have been given out.
    """

    def __init__(self, loader: DataLoader, undrawn: bool = False) -> None:
        names = set(inspect.signature(DataLoader.__init__).parameters)
        names -= {'self', 'batch_size', 'shuffle', 'sampler', 'drop_last'}
        kwargs = {
            name: getattr(loader, name) for name in names if hasattr(loader, name)
        }
        workers = loader.num_workers
        kwargs['batch_sampler'] = RestOfBatches(loader.batch_sampler, workers)
        kwargs['worker_init_fn'] = WorkerStart(loader.worker_init_fn)
        if workers:
            kwargs['collate_fn'] = SendingCollate(loader.collate_fn)
        super().__init__(**kwargs)
        self.passes = 0
        self.position = 0
        self._undrawn = undrawn
        self._workers: dict[int, bytes] = {}  # after the last batch of each

    def state(self) -> dict[str, Any]:
        """How far the loader of this process is.

        Returns:
            ``passes``, ``position``, ``length`` (batches of a pass), ``num_workers``,
            ``sampler_seed`` (None if it has none) and ``workers``, the states of their
            generators. A checkpoint can hold it.
        """
        return dict(
            passes=self.passes,
            position=self.position,
            length=len(self.batch_sampler),
            num_workers=self.num_workers,
            sampler_seed=getattr(self.batch_sampler.sampler, 'seed', None),
            workers={i: pickle.loads(state) for i, state in self._workers.items()},
        )

    def go_on(self, state: dict[str, Any]) -> bool:
        """Let the next pass go on where another loader was.

        Args:
            state: What its :meth:`state` gave.

        Returns:
            Whether the data will be the same as there. They are not if batches or
            workers are others now; the same share of the pass is left out then.
        """
        same = (state['length'], state['num_workers']) == (
            len(self.batch_sampler),
            self.num_workers,
        )
        self.passes, self.position = state['passes'], state['position']
        if not same:
            self.position = (
                self.position * len(self.batch_sampler) // max(state['length'], 1)
            )
        if state['sampler_seed'] is not None:
            self.batch_sampler.sampler.seed = state['sampler_seed']
        if same and (self.position or self.persistent_workers):
            self.worker_init_fn.states = state['workers']
            self._workers = {i: pickle.dumps(s) for i, s in state['workers'].items()}
        self.batch_sampler.start = self.position
        # The number of this pass was drawn before; workers that stay draw one in all.
        if self.position or (self.passes and self.persistent_workers):
            self._undrawn = True
        return same

    def set_epoch(self, epoch: int) -> None:
        """Tell the sampler the epoch."""
        if hasattr(self.batch_sampler.sampler, 'set_epoch'):
            self.batch_sampler.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        """Give out the batches of a pass, or the rest of it."""
        self.position = self.batch_sampler.start
        with ExitStack() as stack:
            if self._undrawn:
                stack.enter_context(kept_random_state())
            batches = super().__iter__()
        self._undrawn = False
        for batch in batches:
            if self.num_workers:
                sent, batch = batch, batch.batch
                if batch is None:
                    continue
                self._workers[sent.worker] = sent.random_state
            self.position += 1
            yield batch
        self.passes += 1
        self.position = 0
        if not self.persistent_workers:
            self._workers = {}
            self.worker_init_fn.states = {}


class EndlessBatches:
    """The batches of an iteration based training, pass after pass.

    Args:
        loader: The loader.
        skipped: Number of iterations that the loop leaves out: it asks for their
            batches, which need not be loaded.
    """

    def __init__(self, loader: ResumableLoader, skipped: int) -> None:
        self.skipped = skipped
        self._batches = self._pass_after_pass(loader)

    def __iter__(self) -> EndlessBatches:
        return self

    def __next__(self) -> Any:
        if self.skipped:
            self.skipped -= 1
            return None
        return next(self._batches)

    def _pass_after_pass(self, loader: ResumableLoader) -> Iterator[Any]:
        while True:
            if loader.passes:
                loader.set_epoch(loader.passes)
            yield from loader


def make_resumable(
    runner: Runner, state: dict[str, Any] | None
) -> ResumableLoader | None:
    """Give a training data that can go on where they are.

    Args:
        runner: A runner that is about to train; its loop is given another data loader.
        state: Where the data go on, see :meth:`ResumableLoader.state`. None for their
            beginning.

    Returns:
        The loader. None if the present one has no batch sampler, which stays.
    """
    loop = runner.train_loop
    loader = loop.dataloader
    if not isinstance(loader, DataLoader) or loader.batch_sampler is None:
        return None
    cfg = runner.cfg.get('train_dataloader')
    if isinstance(cfg, dict):
        # With a fresh sampler: an iteration based loop has drawn from its own already.
        # After resuming, the seed is that of the checkpoint.
        cfg = {k: v for k, v in cfg.items() if k != 'num_batch_per_epoch'}
        randomness = runner.cfg.get('randomness') or {}
        with kept_random_state():
            loader = runner.build_dataloader(
                dict(cfg, dataset=loader.dataset),
                seed=runner.seed,
                diff_rank_seed=randomness.get('diff_rank_seed', False),
            )
    endless = isinstance(loop, IterBasedTrainLoop)
    resumable = ResumableLoader(loader, undrawn=endless)
    if state is not None and not resumable.go_on(state):
        runner.logger.warning(
            f'{state["length"]} batches from {state["num_workers"]} workers were a '
            f'pass over the data, now it is {len(resumable)} from '
            f'{resumable.num_workers}: training goes on, but not bit by bit as it '
            'would have'
        )
    loop.dataloader = resumable
    if endless:
        loop.dataloader_iterator = EndlessBatches(resumable, loop.iter)
    return resumable


def spare_workers(runner: Runner) -> None:
    """Let workers of the validation, too, leave signals to the process that trains.

    Args:
        runner: A runner that is about to train.
    """
    loader = getattr(runner.val_loop, 'dataloader', None)
    if isinstance(loader, DataLoader):
        loader.worker_init_fn = WorkerStart(loader.worker_init_fn)
