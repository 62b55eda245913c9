"""What a run says on the console; its log file has everything."""

from __future__ import annotations

import logging
import re

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
