"""Signals that ask a training to end."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Notes SIGTERM and SIGINT, so that a training can save its state before it ends.

    Attributes:
        received: The first signal that came, 0 while none has.
    """

    def __init__(self) -> None:
        self.received = 0
        self._process = 0
        self._insist = True
        self._before: dict[int, Any] = {}

    def catch(self, insist: bool) -> None:
        """Note signals from now on.

        Those that the process ignores, as those started in the background by a script
        do SIGINT, stay ignored.

        Args:
            insist: Whether a second Ctrl-C raises KeyboardInterrupt at once. Launchers
                send each signal again.
        """
        self.received = 0
        self._process = os.getpid()
        self._insist = insist
        if threading.current_thread() is not threading.main_thread():
            return  # where Python lets nobody catch signals
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)

    def release(self) -> None:
        """Let signals do what they did before."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return  # a child that has not yet arranged itself
        if self.received and self._insist and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or number
