"""A training of milliseconds that uses every random generator there is."""

from __future__ import annotations

import os
import random
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from mmtrack.registry import DATASETS, HOOKS, METRICS, MODELS
from torch import Tensor, nn
from torch.utils.data import Dataset

RUNTIME = Path(__file__).parents[2] / 'configs/_base_/default_runtime.py'


@DATASETS.register_module()
class ToyDataset(Dataset):
    """Numbers with noise of Python, numpy and torch."""

    metainfo = dict(CLASSES=('toy',))

    def __init__(self, length: int = 14, bad: int | None = None) -> None:
        self.length = length
        self.bad = bad  # the sample that makes the loss NaN

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        noise = random.random() + np.random.rand() + float(torch.rand(()))
        value = float('nan') if index == self.bad else float(index)
        sample = BaseDataElement(metainfo=dict(img_path=f'images/{index:03d}.jpg'))
        return dict(inputs=torch.tensor([value, noise, 1.0]), data_samples=sample)


@MODELS.register_module()
class ToyModel(BaseModel):
    """A network with dropout and noise, and a buffer that training changes."""

    def __init__(self, nan_gradient: bool = False) -> None:
        super().__init__()
        self.nan_gradient = nan_gradient
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.register_buffer('mean', torch.zeros(3))
        self.register_buffer('ballast', torch.zeros(100_000))  # no file is tiny

    def forward(
        self, inputs: list[Tensor], data_samples: Any = None, mode: str = 'loss'
    ) -> Any:
        x = torch.stack(list(inputs)) / 10
        if mode == 'predict':
            torch.rand(3)  # validation draws, too
            return [BaseDataElement() for _ in inputs]
        x = x + random.random() * 0.1 + np.random.rand() * 0.1
        self.mean.mul_(0.9).add_(0.1 * x.mean(dim=0))
        out = self.layers(x - self.mean)
        loss = (out - x.sum(dim=1, keepdim=True)) ** 2
        if self.nan_gradient:
            loss = loss + torch.sqrt(out * 0)  # 0 whose derivative is infinite
        return dict(loss_a=loss.mean(), loss_b=out.abs().mean())


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Better with each evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict[str, float]:
        random.random(), np.random.rand()
        self.count += 1
        return dict(score=float(self.count))


@HOOKS.register_module()
class LossRecorder(Hook):
    """Writes ``<iteration> <loss, exactly>`` lines to ``<work dir>/losses.<rank>``."""

    priority = 'VERY_HIGH'

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        files = [sample.img_path[-7:-4] for sample in data_batch['data_samples']]
        line = f'{runner.iter} {float(outputs["loss"]).hex()} {",".join(files)}\n'
        with open(f'{runner.work_dir}/losses.{runner.rank}', 'a') as file:
            file.write(line)


@HOOKS.register_module()
class SignalAt(Hook):
    """Sends a signal to its own process.

    Args:
        number: The signal.
        iteration: Before which iteration.
        rank: In which process.
        where: At which point, also ``before_val_iter``.
        group: Whether its workers get it, too, as from slurm or a terminal.
    """

    priority = 'LOWEST'

    def __init__(
        self,
        number: int,
        iteration: int,
        rank: int = 0,
        where: str = 'before_train_iter',
        group: bool = False,
    ) -> None:
        self.number = number
        self.at = iteration
        self.rank = rank
        self.group = group
        setattr(self, where, self._send)

    def before_run(self, runner: Any) -> None:
        if self.group:
            os.setpgid(0, 0)

    def _send(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        if (runner.iter, runner.rank) == (self.at, self.rank):
            if self.group:
                time.sleep(0.5)  # all workers have begun
                os.killpg(0, self.number)
                time.sleep(0.5)
            else:
                os.kill(os.getpid(), self.number)


@HOOKS.register_module()
class FullDisk(Hook):
    """Lets the disk be full from a checkpoint on.

    Args:
        save: Number of the checkpoint, from 1.
    """

    priority = 'LOWEST'

    def __init__(self, save: int) -> None:
        self.left = save

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        self.left -= 1
        if self.left == 0:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))


def losses(work_dir: Path, rank: int = 0) -> dict[int, str]:
    """What was recorded, by iteration.

    An iteration that was done twice must have been the same both times.
    """
    found: dict[int, str] = {}
    for line in (work_dir / f'losses.{rank}').read_text().splitlines():
        iteration, value = line.split(' ', 1)
        assert found.setdefault(int(iteration), value) == value, line
    return found


def toy_config(
    work_dir: Path,
    loop: str = 'epoch',
    workers: int = 0,
    persistent: bool = False,
    accumulate: int = 1,
    ema: bool = False,
    val: bool = True,
    endless_sampler: bool = True,
) -> Config:
    """A training of 3 epochs of 7 batches, or of 21 iterations."""
    cfg = Config.fromfile(str(RUNTIME))
    cfg.custom_imports = dict(imports=['stpn_plugin', 'tests.support.toy_training'])
    cfg.work_dir = str(work_dir)
    cfg.model = dict(type='ToyModel')
    by_epoch = loop == 'epoch'
    sampler = 'DefaultSampler' if by_epoch or not endless_sampler else 'InfiniteSampler'
    loader = dict(batch_size=2, num_workers=workers, dataset=dict(type='ToyDataset'))
    if workers:
        loader.update(persistent_workers=persistent)
    cfg.train_dataloader = dict(loader, sampler=dict(type=sampler, shuffle=True))
    if by_epoch:
        cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=1)
    else:
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=21, val_interval=5)
    if val:
        cfg.val_dataloader = dict(
            loader, sampler=dict(type='DefaultSampler', shuffle=False)
        )
        cfg.val_cfg = dict(type='ValLoop')
        cfg.val_evaluator = dict(type='ToyMetric')
    cfg.optim_wrapper = dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=0.01),
        accumulative_counts=accumulate,
    )
    cfg.param_scheduler = [
        dict(type='CosineAnnealingLR', T_max=21, by_epoch=False, begin=0, end=21)
    ]
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.update(
        by_epoch=by_epoch, interval=1 if by_epoch else 5
    )
    cfg.log_processor = dict(by_epoch=by_epoch)
    cfg.custom_hooks = [dict(type='LossRecorder')]
    if ema:
        cfg.custom_hooks.append(dict(type='EMAHook', update_buffers=True))
    cfg.visualizer = dict(type='mmengine.Visualizer', name=f'toy_{work_dir.name}')
    cfg.default_hooks.visualization = dict(type='mmengine.NaiveVisualizationHook')
    cfg.experiment_name = f'{work_dir.parent.name}_{work_dir.name}'
    cfg.env_cfg.dist_cfg.backend = 'gloo'
    return cfg
