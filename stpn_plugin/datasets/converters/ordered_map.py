"""Parallel map whose results come in order and do not pile up."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Callable, Iterator, Sequence

from ...utils.processes import end_by_parent_only, end_with_parent


def ordered_map(
    function: Callable[[Any], Any], tasks: Sequence[Any], jobs: int
) -> Iterator[Any]:
    """Apply a function to every task.

    Unlike ``multiprocessing.Pool.imap`` it holds few results at a time, however slow
    their reader is, and fails instead of waiting forever if a process is killed.

    Args:
        function: Function of one task. It and the tasks can be pickled.
        tasks: The tasks.
        jobs: Number of processes. With 1 everything runs in this process.

    Yields:
        The results, in the order of the tasks.
    """
    if jobs == 1:
        yield from map(function, tasks)
        return
    pending: deque[Future] = deque()
    with ProcessPoolExecutor(jobs, initializer=_prepare) as pool:
        try:
            for task in tasks:
                pending.append(pool.submit(function, task))
                if len(pending) == 4 * jobs:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _prepare() -> None:
    """Let a process end with the one that started it, and not of its own accord."""
    end_by_parent_only()
    end_with_parent()
