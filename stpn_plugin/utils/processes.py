"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import signal
import threading
import time

_POLL_SECONDS = 0.5


def end_with_parent(grace: float = 0.0) -> None:
    """End this process when its parent is gone, even if that was killed.

    A child of a killed process otherwise lives on: workers wait for tasks that nobody
    gives them, and ranks of a training go on training.

    Args:
        grace: Seconds between SIGTERM, which lets a training save its state, and the
            end. Defaults to 0: it ends at once.
    """
    # Not the signal that Linux can send when the *thread* that made a process ends.
    parent = os.getppid()
    threading.Thread(
        target=_follow, args=(parent, grace), name='end_with_parent', daemon=True
    ).start()


def _follow(parent: int, grace: float) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    if grace:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
    os._exit(1)  # whatever the main thread is waiting for


def end_by_parent_only() -> None:
    """Let Ctrl-C not end this process, and SIGTERM only if its parent sends it.

    Where the system does not tell who sent a signal, SIGTERM ends it as ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(
            target=_obey, args=(os.getppid(),), name='end_by_parent_only', daemon=True
        ).start()


def _obey(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
