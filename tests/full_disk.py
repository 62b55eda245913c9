"""A disk that fills up, without one: the system refuses to let files grow."""

from __future__ import annotations

import subprocess
import sys
import textwrap

_PROLOGUE = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else it ends the process
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
"""


def run_with_file_limit(code: str, limit: int) -> str:
    """Run code in a process of its own, none of whose files may exceed a size.

    Args:
        code: Python statements; they have to fail.
        limit: The size in bytes.

    Returns:
        What the process wrote to stderr.
    """
    program = _PROLOGUE.format(limit=limit) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True
    )
    assert done.returncode != 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stderr
