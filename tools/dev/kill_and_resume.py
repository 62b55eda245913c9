"""Kill trainings again and again, and tell what was lost.

A tiny training is killed by SIGKILL at random moments, and at random steps of writing a
checkpoint, and resumed each time, until the asked numbers of kills are reached. Every
loss is compared, bit by bit, with that of a training that was never stopped. Run it
from the root of the repository:

    python tools/dev/kill_and_resume.py --kills 100 --kills-in-writes 20
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

os.environ['CUDA_VISIBLE_DEVICES'] = ''
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch  # noqa: E402
from mmtrack.utils import register_all_modules  # noqa: E402

from stpn_plugin.engine import find_checkpoint  # noqa: E402
from tests.support import toy_runs  # noqa: E402
from tests.support.toy_training import losses, toy_config  # noqa: E402

HOWS: list[dict[str, Any]] = [
    dict(loop='epoch', accumulate=3, ema=True),
    dict(loop='iter', accumulate=2, ema=True),
    dict(loop='epoch', workers=2, ema=True),
    dict(loop='iter', workers=2, persistent=True, endless_sampler=False),
]


@dataclass
class Count:
    """What happened.

    Attributes:
        kills: Number of kills at any moment.
        kills_in_writes: Number of kills while a checkpoint was written.
        clean: Number of those after which training went on.
        nothing_saved: Number of those before the first checkpoint was complete.
        lost: What went wrong.
        compared: Number of losses compared after a resume.
    """

    kills: int = 0
    kills_in_writes: int = 0
    clean: int = 0
    nothing_saved: int = 0
    lost: list[str] = field(default_factory=list)
    compared: int = 0


def kill_in_write(event: int, delay: float) -> Callable[[], None]:
    """What a training calls first, to be killed while it writes a checkpoint.

    Args:
        event: At which opening, renaming or removal of a checkpoint or of the pointer.
        delay: Seconds to wait from there on.
    """

    def prepare() -> None:
        left = event

        def kill() -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        def hear(name: str, args: tuple) -> None:
            nonlocal left
            if name not in ('open', 'os.rename', 'os.remove', 'os.chmod'):
                return
            if name == 'open' and str(args[1]).startswith('r'):
                return  # a resume reads checkpoints
            path = str(args[0])
            if path.endswith('.pth') or 'last_checkpoint' in path:
                left -= 1
                if left == 0 and delay:
                    threading.Timer(delay, kill).start()
                elif left == 0:
                    kill()

        sys.addaudithook(hear)

    return prepare


def train(
    work_dir: Path, how: dict[str, Any], resume: bool, first: Callable = int
) -> int:
    """Start a training; the id of its process."""
    cfg = toy_config(work_dir, **how)
    cfg.randomness = dict(seed=1)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    cfg.resume = resume
    return toy_runs.start(cfg, first=first)


def is_over(process: int, seconds: float) -> int | None:
    """Wait for a process; its exit status, None if it still runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def run_until_done(
    work_dir: Path,
    how: dict[str, Any],
    whole: dict[int, str],
    duration: float,
    in_writes: bool,
    wanted: int,
    count: Count,
) -> int:
    """Kill and resume one training until it is done; the number of kills."""
    kills = 0
    resume = False
    before = 0
    while True:
        first: Callable = int
        if in_writes and kills < wanted:
            first = kill_in_write(random.randint(1, 14), random.choice((0, 0, 0.001)))
        saved = find_checkpoint(str(work_dir)) if resume else None
        process = train(work_dir, how, resume, first)
        limit = random.uniform(0, duration) if kills < wanted else 600
        status = is_over(process, 600 if in_writes else limit)
        if status is None:
            os.kill(process, signal.SIGKILL)
            status = toy_runs.end_of(process)
        try:
            done = losses(work_dir) if (work_dir / 'losses.0').exists() else {}
        except AssertionError as error:
            count.lost.append(
                f'{work_dir.name}: another loss when it was repeated {error}'
            )
            return kills
        wrong = [i for i, value in done.items() if value != whole[i]]
        if wrong or status not in (0, -signal.SIGKILL):
            count.lost.append(f'{work_dir.name}: status {status}, losses {wrong}')
            return kills
        if resume:
            count.clean += 1
            count.nothing_saved += saved is None
            count.compared += len(done) - before
        before = len(done)
        if status == 0:
            if list(done) != list(whole):
                count.lost.append(f'{work_dir.name}: iterations are missing')
            return kills
        kills += 1
        resume = True


def main(argv: list[str] | None = None) -> int:
    """Run; the exit status is 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--kills-in-writes', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(argv)
    random.seed(args.seed)
    torch.set_num_threads(1)
    register_all_modules()
    count = Count()
    root = Path(tempfile.mkdtemp(prefix='kill_and_resume_'))
    references = []
    for i, how in enumerate(HOWS):
        begin = time.monotonic()
        status = toy_runs.end_of(train(root / f'whole_{i}', how, resume=False))
        duration = time.monotonic() - begin
        if status:
            raise RuntimeError(f'{how} fails: {root}/whole_{i}/output.0')
        references.append((how, losses(root / f'whole_{i}'), duration))
        print(f'{how}: {len(references[-1][1])} losses in {duration:.1f} s', flush=True)
    number = 0
    for in_writes, wanted in ((False, args.kills), (True, args.kills_in_writes)):
        left = wanted
        while left > 0 and not count.lost:
            how, whole, duration = references[number % len(HOWS)]
            work_dir = root / f'run_{number}'
            number += 1
            kills = run_until_done(
                work_dir, how, whole, duration, in_writes, min(left, 4), count
            )
            left -= kills
            if in_writes:
                count.kills_in_writes += kills
            else:
                count.kills += kills
            if not count.lost:
                shutil.rmtree(work_dir)
    total = count.kills + count.kills_in_writes
    print(
        f'{count.kills} SIGKILLs at random moments, {count.kills_in_writes} while a '
        f'checkpoint was written, in {number} trainings: {count.clean} of {total} '
        f'resumes were clean ({count.nothing_saved} before the first checkpoint), '
        f'{count.compared} losses after resuming compared, all equal: '
        f'{"no" if count.lost else "yes"}'
    )
    for lost in count.lost:
        print(f'LOST {lost}; see {root}')
    if not count.lost:
        shutil.rmtree(root)
    return 1 if count.lost or count.clean != total else 0


if __name__ == '__main__':
    sys.exit(main())
