"""What a run says on the console; its log file has everything."""

from __future__ import annotations

import logging
import re
import sys

# Messages that are long, or that nobody who runs a training can act on.
LOG_FILE_ONLY = re.compile(
    # some hundred lines
    r'Config:\n|\n-+\nSystem environment:|Hooks will be executed in the following'
    # one for each parameter
    r'|paramwise_options -- |\S+ is skipped since its requires_grad=False'
    # mmengine's and mmtrack's own hooks use them
    r'|"FileClient" will be deprecated|"HardDiskBackend" is the alias'
)


def is_for_console(record: logging.LogRecord) -> bool:
    """Whether a message is for a person at the console, and not only for the log file.

    Args:
        record: The message.
    """
    return LOG_FILE_ONLY.match(record.getMessage()) is None


def quiet_console(logger: logging.Logger) -> None:
    """Leave out on the console what only the log file needs.

    Args:
        logger: A logger with handlers of its own, changed in place.
    """
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(is_for_console)


def tell_of_full_log(logger: logging.Logger) -> None:
    """Say once, in a line, that a log file cannot be written.

    Python's own handler prints a traceback for each message, without the file's name.

    Args:
        logger: A logger with handlers of its own, changed in place.
    """
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            # mypy: methods are not to be assigned to.
            setattr(handler, 'handleError', _TellOnce(handler))  # noqa: B010


class _TellOnce:
    """What a log file does with an error: the first of a write is told."""

    def __init__(self, handler: logging.FileHandler) -> None:
        self._path = handler.baseFilename
        self._otherwise = handler.handleError
        self._told = False

    def __call__(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self._otherwise(record)
        elif not self._told:
            self._told = True
            reason = error.strerror or error
            sys.stderr.write(f'{self._path} cannot be written: {reason}\n')
