"""What is run: methods, and the trainings that each of them takes."""

from __future__ import annotations

import copy
import functools
import os.path as osp
from typing import Any, NamedTuple, Sequence

from mmengine.config import Config

from projects.tiny_vid import demo

FOLDER = 'projects/tiny_vid/configs'
SUFFIX = 'faster-rcnn_swin_fpn'


class Method(NamedTuple):
    """What is compared: its name in the table, and its config."""

    title: str
    config: str


METHODS = {
    'single': Method('single frame', f'{FOLDER}/tiny_{SUFFIX}_1xb16-2x400_tinyvid.py'),
    'static': Method(
        'static prompts', f'{FOLDER}/tiny_vpt-shallow_{SUFFIX}_1xb16-400_tinyvid.py'
    ),
    'avg': Method(
        'STPN, average', f'{FOLDER}/tiny_stpn_{SUFFIX}_avg_1xb16-400_tinyvid.py'
    ),
    'mixer': Method(
        'STPN, mixer', f'{FOLDER}/tiny_stpn_{SUFFIX}_mixer_1xb16-400_tinyvid.py'
    ),
    'att': Method(
        'STPN, attention', f'{FOLDER}/tiny_stpn_{SUFFIX}_1xb16-400_tinyvid.py'
    ),
    'selsa': Method(
        'STPN + SELSA', f'{FOLDER}/tiny_stpn-selsa_{SUFFIX}_1xb1-6400_tinyvid.py'
    ),
}


class Run(NamedTuple):
    """One training, and its test if it is of a detector.

    Attributes:
        name: What to call it.
        folder: Where all its files lie.
        config: Config file.
        options: Entries of the config to override.
        cfg: The config with the options.
        seed: Seed.
        start: The stage that this run starts from.
    """

    name: str
    folder: str
    config: str
    options: dict[str, Any]
    cfg: Config
    seed: int
    start: Run | None = None

    @property
    def log(self) -> str:
        """File with all that the programs of this run said."""
        return osp.join(self.folder, 'log.txt')

    @property
    def checkpoint(self) -> str:
        """File that the training ends with."""
        last = self.cfg.train_cfg.max_iters
        return osp.join(self.folder, 'train', f'iter_{last}.pth')

    @property
    def is_trained(self) -> bool:
        """Whether the training is finished.

        mmengine names a checkpoint in ``last_checkpoint`` when it is complete.
        """
        try:
            with open(osp.join(self.folder, 'train', 'last_checkpoint')) as file:
                last = osp.basename(file.read().strip())
        except FileNotFoundError:
            return False
        return last == osp.basename(self.checkpoint) and osp.isfile(self.checkpoint)

    @property
    def results(self) -> str:
        """File with the predictions."""
        return osp.join(self.folder, 'results.pkl')

    @property
    def scores(self) -> str:
        """File with the scores, the last to be written."""
        return osp.join(self.folder, 'scores.json')


def scaled_schedule(cfg: Config, scale: float) -> dict[str, Any]:
    """Entries of a config that make its schedule longer or shorter.

    Args:
        cfg: A config that counts iterations.
        scale: How many times as long.
    """
    step = cfg.optim_wrapper.get('accumulative_counts', 1)  # whole updates
    options = {
        f'param_scheduler.{i}.{key}': max(
            int(key != 'begin'), round(policy[key] * scale)
        )
        for i, policy in enumerate(cfg.param_scheduler)
        for key in ('begin', 'end', 'T_max')
        if key in policy
    }
    updates = max(1, round(cfg.train_cfg.max_iters * scale / step))
    return {'train_cfg.max_iters': updates * step, **options}


def plan(
    work_dir: str, methods: Sequence[str], seeds: Sequence[int], scale: float = 1.0
) -> dict[str, list[Run]]:
    """Runs of every method.

    Args:
        work_dir: Folder of all runs.
        methods: Keys of :data:`METHODS`.
        seeds: Seeds; each makes a run of each method.
        scale: How many times as long as in the configs to train.

    Returns:
        For every method a run for every seed. Runs of one seed start from the same
        detector, and that from a backbone.
    """

    @functools.lru_cache(maxsize=None)
    def load(config: str) -> Config:
        return Config.fromfile(osp.join(demo.ROOT, config))

    def make(name: str, config: str, seed: int, start: Run | None = None) -> Run:
        cfg = copy.deepcopy(load(config))
        options: dict[str, Any] = {'randomness.seed': seed}
        if scale != 1:
            options.update(scaled_schedule(cfg, scale))
        max_iters = options.get('train_cfg.max_iters', cfg.train_cfg.max_iters)
        # What an interruption costs at most: a tenth of a training. Two are kept, as
        # mmengine removes an old checkpoint before it has written the new one.
        hook = 'default_hooks.checkpoint'
        options[f'{hook}.interval'] = -(-max_iters // 10)
        options[f'{hook}.max_keep_ckpts'] = 2
        if start is not None:  # the test comes after the training
            options.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
        cfg.merge_from_dict(options)
        folder = osp.join(work_dir, name, f'seed_{seed}')
        title = f'{name}, seed {seed}'
        return Run(title, folder, config, options, cfg, seed, start)

    backbones = {seed: make('backbone', demo.BACKBONE_CONFIG, seed) for seed in seeds}
    detectors = {
        seed: make('detector', demo.DETECTOR_CONFIG, seed, backbone)
        for seed, backbone in backbones.items()
    }
    return {
        method: [
            make(method, METHODS[method].config, seed, detectors[seed])
            for seed in seeds
        ]
        for method in methods
    }


def start_key(cfg: Config) -> str:
    """Entry of a config that names the checkpoint of the stage before."""
    whole = cfg.model.detector.get('init_cfg') is not None
    part = 'model.detector' if whole else 'model.detector.backbone'
    return f'{part}.init_cfg.checkpoint'
