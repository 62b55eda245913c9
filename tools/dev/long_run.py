"""Train and detect for long, and tell whether memory grows.

A tiny STPN trains for 2,000 iterations and detects in a stream of 20,000 frames. The
resident memory of the process is printed as a curve; memory is flat if a line through
its second half rises by less than 2 % of it. Run it from the root of the repository:

    python tools/dev/long_run.py
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, Sequence

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from mmengine.hooks import Hook  # noqa: E402

from stpn_plugin.apis import VideoDetector  # noqa: E402
from stpn_plugin.engine import build_runner  # noqa: E402
from tests.support.tiny_configs import stpn_config  # noqa: E402
from tests.support.tiny_data import HEIGHT, WIDTH, write_tiny_vid  # noqa: E402

_POINTS = 20
_TOLERANCE = 0.02


def resident_mib() -> float:
    """Resident memory of this process in MiB."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


class MemoryHook(Hook):
    """Measures memory during a training."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.curve: list[tuple[int, float]] = []

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        """Measure every so many iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self.curve.append((runner.iter + 1, resident_mib()))


def training_curve(root: Path, iterations: int) -> list[tuple[int, float]]:
    """Memory in MiB by iteration; the checkpoint is ``work/last.pth`` in ``root``."""
    cfg = stpn_config(root / 'data')
    cfg.work_dir = str(root / 'work')
    cfg.train_dataloader.batch_size = 1
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop', max_iters=iterations, val_interval=iterations // 2
    )
    cfg.log_processor = dict(by_epoch=False)
    cfg.default_hooks.logger.interval = 50
    cfg.default_hooks.checkpoint.update(
        by_epoch=False, interval=max(iterations // 10, 1), max_keep_ckpts=1
    )
    # Losses of so few images diverge sooner or later.
    cfg.optim_wrapper.optimizer.lr = 1e-4
    runner = build_runner(cfg)
    hook = MemoryHook(max(iterations // _POINTS, 1))
    runner.register_hook(hook)
    runner.train()
    return hook.curve


def frames(number: int) -> Iterator[np.ndarray]:
    """Frames with a square that moves."""
    rng = np.random.default_rng(0)
    for i in range(number):
        frame = rng.integers(0, 80, (HEIGHT, WIDTH, 3), np.uint8)
        x = 2 * i % (WIDTH - 24)
        frame[20:44, x : x + 24] = 255
        yield frame


def stream_curve(root: Path, number: int) -> list[tuple[int, float]]:
    """Memory in MiB by frame."""
    (checkpoint,) = (root / 'work').glob('iter_*.pth')
    cfg = stpn_config(root / 'data')
    stream = VideoDetector(cfg, str(checkpoint), 'cpu').stream()
    curve = []
    for i, frame in enumerate(frames(number), 1):
        stream.push(frame)
        if i % max(number // _POINTS, 1) == 0:
            curve.append((i, resident_mib()))
    return curve


def is_flat(curve: Sequence[tuple[int, float]], unit: str) -> bool:
    """Print a curve; whether its second half does not rise."""
    highest = max(mib for _, mib in curve)
    for step, mib in curve:
        print(f'{unit} {step:>6,}  {mib:8.1f} MiB  {"#" * round(50 * mib / highest)}')
    steps, mibs = np.array(curve[len(curve) // 2 :]).T
    slope = np.polyfit(steps, mibs, 1)[0]
    rise = slope * (steps[-1] - steps[0]) / mibs.mean()
    flat = bool(rise < _TOLERANCE)
    print(
        f'{unit} {steps[0]:,.0f} to {steps[-1]:,.0f}: {1000 * slope:+.2f} MiB in '
        f'1,000, {100 * rise:+.2f} % in all: {"flat" if flat else "NOT flat"}',
        flush=True,
    )
    return flat


def main(argv: list[str] | None = None) -> int:
    """Run; the exit status is 1 if memory grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--iterations', type=int, default=2000)
    parser.add_argument('--frames', type=int, default=20_000)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix='long_run_') as folder:
        root = Path(folder)
        write_tiny_vid(root / 'data')
        flat = is_flat(training_curve(root, args.iterations), 'iteration')
        flat = is_flat(stream_curve(root, args.frames), 'frame') and flat
    return 0 if flat else 1


if __name__ == '__main__':
    sys.exit(main())
