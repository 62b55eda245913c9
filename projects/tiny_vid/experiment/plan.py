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
    """What is compared.

    Attributes:
        title: Its name in the table.
        config: Its config.
        task: The task, and its table: ``vid``, ``mot`` or ``vis``.
        weights_of: The method whose weights it tests. None if it trains its own.
    """

    title: str
    config: str
    task: str = 'vid'
    weights_of: str | None = None


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
    'selsa': Method('SELSA', f'{FOLDER}/tiny_selsa_{SUFFIX}_1xb1-6400_tinyvid.py'),
    'selsa-static': Method(
        'SELSA, static prompts',
        f'{FOLDER}/tiny_vpt-selsa_{SUFFIX}_1xb1-6400_tinyvid.py',
    ),
    'selsa-att': Method(
        "SELSA, STPN's prompts",
        f'{FOLDER}/tiny_stpn-selsa_{SUFFIX}_1xb1-6400_tinyvid.py',
    ),
    'mot-single': Method(
        'ByteTrack, single frame',
        f'{FOLDER}/tiny_bytetrack_{SUFFIX}_tinymot.py',
        task='mot',
        weights_of='single',
    ),
    'mot-att': Method(
        'ByteTrack, STPN',
        f'{FOLDER}/tiny_stpn-bytetrack_{SUFFIX}_tinymot.py',
        task='mot',
        weights_of='att',
    ),
    'vis-single': Method(
        'MaskTrack R-CNN',
        f'{FOLDER}/tiny_masktrack-rcnn_swin_fpn_1xb16-400_tinyvis.py',
        task='vis',
    ),
    'vis-att': Method(
        'MaskTrack R-CNN, STPN',
        f'{FOLDER}/tiny_stpn-masktrack-rcnn_swin_fpn_1xb16-400_tinyvis.py',
        task='vis',
    ),
}


class Run(NamedTuple):
    """One training, and its test if it is of a method.

    Attributes:
        name: What to call it.
        folder: Where all its files lie.
        config: Config file.
        options: Entries of the config to override.
        cfg: The config with the options.
        seed: Seed.
        start: The stage that this run starts from.
        method: The method that is tested; None of a stage before.
    """

    name: str
    folder: str
    config: str
    options: dict[str, Any]
    cfg: Config
    seed: int
    start: Run | None = None
    method: Method | None = None

    @property
    def trains(self) -> bool:
        """Whether it has weights of its own."""
        return self.method is None or self.method.weights_of is None

    @property
    def log(self) -> str:
        """File with all that the programs of this run said."""
        return osp.join(self.folder, 'log.txt')

    @property
    def checkpoint(self) -> str:
        """File that the training ends with, or that it does without one."""
        if not self.trains and self.start is not None:
            return self.start.checkpoint
        last = self.cfg.train_cfg.max_iters
        return osp.join(self.folder, 'train', f'iter_{last}.pth')

    @property
    def is_trained(self) -> bool:
        """Whether the training is finished.

        mmengine names a checkpoint in ``last_checkpoint`` when it is complete.
        """
        if not self.trains and self.start is not None:
            return self.start.is_trained
        try:
            with open(osp.join(self.folder, 'train', 'last_checkpoint')) as file:
                last = osp.basename(file.read().strip())
        except FileNotFoundError:
            return False
        return last == osp.basename(self.checkpoint) and osp.isfile(self.checkpoint)

    @property
    def results(self) -> str:
        """File with the predictions; other tasks than ``vid`` keep metrics alone."""
        is_vid = self.method is None or self.method.task == 'vid'
        return osp.join(self.folder, 'results.npz' if is_vid else 'metrics.json')

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
        detector, and that from a backbone; those that train nothing, from the run whose
        weights they test.
    """

    @functools.lru_cache(maxsize=None)
    def load(config: str) -> Config:
        return Config.fromfile(osp.join(demo.ROOT, config))

    def make(
        name: str,
        config: str,
        seed: int,
        start: Run | None = None,
        method: Method | None = None,
    ) -> Run:
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
        return Run(title, folder, config, options, cfg, seed, start, method)

    backbones = {seed: make('backbone', demo.BACKBONE_CONFIG, seed) for seed in seeds}
    detectors = {
        seed: make('detector', demo.DETECTOR_CONFIG, seed, backbone)
        for seed, backbone in backbones.items()
    }

    @functools.lru_cache(maxsize=None)
    def run_of(name: str, seed: int) -> Run:
        method = METHODS[name]
        start = detectors[seed]
        if method.weights_of is not None:
            start = run_of(method.weights_of, seed)
        return make(name, method.config, seed, start, method)

    return {name: [run_of(name, seed) for seed in seeds] for name in methods}


def start_key(cfg: Config) -> str:
    """Entry of a config that names the checkpoint of the stage before."""
    whole = cfg.model.detector.get('init_cfg') is not None
    part = 'model.detector' if whole else 'model.detector.backbone'
    return f'{part}.init_cfg.checkpoint'
