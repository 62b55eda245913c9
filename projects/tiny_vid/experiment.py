"""The experiment on tiny_vid: a single-frame detector against prompted ones.

Every method is trained on the same data with the same schedule, once for each seed,
from a single-frame detector that was trained with that seed on a backbone that learned
still images with that seed. A run is ``tools/train.py``,
then ``tools/test.py``, then scores; all its files lie in a folder of its own. What is
finished is not run again, and an interrupted training goes on from its last
checkpoint: to resume, give the same command again.

Example:
    $ python projects/tiny_vid/experiment.py --jobs 2
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import os
import os.path as osp
import shlex
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.insert(0, osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__)))))

from projects.tiny_vid import demo  # noqa: E402
from projects.tiny_vid.scores import MARKER, score  # noqa: E402
from stpn_plugin.engine.saved_run import load_saved_run  # noqa: E402
from stpn_plugin.utils import whole_text  # noqa: E402
from stpn_plugin.visualization.style import (  # noqa: E402
    PALETTE,
    save_figure,
    styled,
)

FOLDER = 'projects/tiny_vid/configs'
SUFFIX = 'faster-rcnn_swin_fpn'
COLUMNS = ('all', 'fast', 'medium', 'slow', 'sharp', 'deteriorated', 'guess')
Scores = Dict[str, float]
Launch = Callable[[Sequence[str], str], None]


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
        name (str): What to call it.
        folder (str): Where all its files lie.
        config (str): Config file.
        options (dict[str, Any]): Entries of the config to override.
        cfg (Config): The config with the options.
        seed (int): Seed.
        start (Run, optional): The stage that this run starts from.
    """

    name: str
    folder: str
    config: str
    options: Dict[str, Any]
    cfg: Config
    seed: int
    start: Optional[Run] = None

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


class Launcher:
    """Runs Python programs of the repository, each with one computing thread."""

    def __init__(self) -> None:
        self._running: Set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, command: Sequence[str], log: str) -> None:
        """Run a program to its end.

        Args:
            command (Sequence[str]): Arguments of Python.
            log (str): File to append its output to.

        Raises:
            RuntimeError: The program failed, or :meth:`stop` was called.
        """
        paths = [demo.ROOT, *filter(None, [os.environ.get('PYTHONPATH')])]
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(paths),
            'OMP_NUM_THREADS': '1',
        }
        with open(log, 'a') as file:
            file.write(f'$ {shlex.join(["python", *command])}\n')
            file.flush()
            with self._lock:
                if self._stopped:
                    raise RuntimeError('stopped')
                process = subprocess.Popen(
                    [sys.executable, *command],
                    cwd=demo.ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
                self._running.add(process)
            status = process.wait()
            with self._lock:
                self._running.discard(process)
        if status:
            raise RuntimeError(f'{command[0]} ended with exit status {status}')

    def stop(self) -> None:
        """End what runs; nothing runs from now on."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


def scaled_schedule(cfg: Config, scale: float) -> Dict[str, Any]:
    """Entries of a config that make its schedule longer or shorter.

    Args:
        cfg (Config): A config that counts iterations.
        scale (float): How many times as long.
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
) -> Dict[str, List[Run]]:
    """Runs of every method.

    Args:
        work_dir (str): Folder of all runs.
        methods (Sequence[str]): Keys of :data:`METHODS`.
        seeds (Sequence[int]): Seeds; each makes a run of each method.
        scale (float): How many times as long as in the configs to train.

    Returns:
        dict[str, list[Run]]: For every method a run for every seed. Runs of one seed
        start from the same detector, and that from a backbone.
    """

    @functools.lru_cache(maxsize=None)
    def load(config: str) -> Config:
        return Config.fromfile(osp.join(demo.ROOT, config))

    def make(name: str, config: str, seed: int, start: Optional[Run] = None) -> Run:
        cfg = copy.deepcopy(load(config))
        options: Dict[str, Any] = {'randomness.seed': seed}
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


def write_text(path: str, text: str) -> None:
    """Write a file, which gets its name when it is complete."""
    with whole_text(path) as file:
        file.write(text)


def claim(run: Run, settings: Dict[str, Any]) -> None:
    """Record what a run is made with, or compare with the record.

    Args:
        run (Run): The run.
        settings (dict[str, Any]): What the data was generated with.

    Raises:
        ValueError: The folder has a run with another config or on other data.
    """
    path = osp.join(run.folder, 'made_with.json')
    made_with = dict(config=run.cfg.to_dict(), data=settings)
    text = json.dumps(made_with, indent=1, sort_keys=True)
    if not osp.exists(path):
        write_text(path, text)
    with open(path) as file:
        if file.read() != text:
            raise ValueError(
                f'the run in {run.folder} was made with another config or on other '
                'data than it would be now; remove the folder to run it anew, or '
                'choose another --work-dir'
            )


def start_key(cfg: Config) -> str:
    """Entry of a config that names the checkpoint of the stage before."""
    whole = cfg.model.detector.get('init_cfg') is not None
    part = 'model.detector' if whole else 'model.detector.backbone'
    return f'{part}.init_cfg.checkpoint'


def train(run: Run, launch: Launch) -> None:
    """Train, or go on with it, unless it is done.

    Args:
        run (Run): The run.
        launch (Callable): Runs a program, as :class:`Launcher` does.
    """
    if run.is_trained:
        return
    options = dict(run.options)
    if run.start is not None:
        options[start_key(run.cfg)] = run.start.checkpoint
    command = ['tools/train.py', run.config, '--work-dir', f'{run.folder}/train']
    command += ['--cfg-options', *(f'{k}={v}' for k, v in options.items()), '--resume']
    launch(command, run.log)


def train_and_test(run: Run, launch: Launch) -> None:
    """Train and test a detector, as far as this is not done."""
    if osp.isfile(run.results):
        return
    train(run, launch)
    command = ['tools/test.py', run.config, run.checkpoint]
    command += ['--work-dir', f'{run.folder}/test', '--out', run.results]
    launch(command, run.log)


def save_scores(run: Run) -> None:
    """Score a tested detector."""
    saved = load_saved_run(run.cfg, run.results)
    scores = score(saved, run.cfg.test_dataloader.dataset.data_root)
    write_text(run.scores, json.dumps(scores, indent=1))


def in_parallel(
    work: Callable[[Run], None],
    runs: Sequence[Run],
    jobs: int,
    done: Callable[[Run, Optional[BaseException]], None],
    stop: Callable[[], None],
) -> None:
    """Do the work of several runs at a time.

    Args:
        work (Callable): What to do with a run.
        runs (Sequence[Run]): The runs.
        jobs (int): How many at a time.
        done (Callable): Told in the main thread of each run that ended, and of its
            error.
        stop (Callable): Called to end the work that goes on when something, such as
            the user, interrupts it.
    """
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(work, run): run for run in runs}
        try:
            for future in as_completed(futures):
                done(futures[future], future.exception())
        except BaseException:
            for future in futures:
                future.cancel()
            stop()
            raise


def earlier_stages(runs: Sequence[Run]) -> List[List[Run]]:
    """What has to be trained before some runs can be, stage by stage."""
    stages: List[List[Run]] = []
    while runs:
        starts = {run.start.folder: run.start for run in runs if run.start is not None}
        runs = [run for run in starts.values() if not run.is_trained]
        stages.insert(0, runs)
    return stages[1:]


def complete(
    runs: Sequence[Run], launch: Launch, jobs: int, stop: Callable[[], None]
) -> List[str]:
    """Do what the runs lack: first of the stages that they start from, then of them.

    Args:
        runs (Sequence[Run]): Runs of the methods.
        launch (Callable): Runs a program, as :class:`Launcher` does.
        jobs (int): How many runs go on at a time.
        stop (Callable): Ends all programs.

    Returns:
        list[str]: What went wrong. A run that fails does not stop others.
    """
    todo = [run for run in runs if not osp.isfile(run.scores)]
    stages = earlier_stages([run for run in todo if not osp.isfile(run.results)])
    failures: List[str] = []
    failed: Set[int] = set()  # seeds with a stage missing
    console = Console()
    columns = (
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TextColumn('runs'),
        TimeElapsedColumn(),
    )
    if len(todo) < len(runs):
        console.print(f'{len(runs) - len(todo)} of {len(runs)} runs are done already')
    with Progress(*columns, console=console) as progress:
        task = progress.add_task('train', total=len(todo) + sum(map(len, stages)))
        begin = time.monotonic()

        def done(run: Run, error: Optional[BaseException]) -> None:
            progress.advance(task)
            minutes = (time.monotonic() - begin) / 60
            try:
                if error is not None:
                    raise error
                if osp.isfile(run.results):
                    save_scores(run)
            except (OSError, RuntimeError, ValueError) as reason:
                failures.append(f'{run.name}: {reason}; see {run.log}')
                if run not in todo:
                    failed.add(run.seed)
                console.print(failures[-1], style='red', soft_wrap=True)
            else:
                console.print(f'{run.name}: done after {minutes:.1f} minutes')

        for stage in stages:
            startable = [run for run in stage if run.seed not in failed]
            work = functools.partial(train, launch=launch)
            in_parallel(work, startable, jobs, done, stop)
        startable = [r for r in todo if r.seed not in failed or osp.isfile(r.results)]
        work = functools.partial(train_and_test, launch=launch)
        in_parallel(work, startable, jobs, done, stop)
    return failures


def summarize(runs: Dict[str, List[Run]]) -> Dict[str, Dict[str, Any]]:
    """Mean and deviation over the seeds.

    Args:
        runs (dict[str, list[Run]]): Runs of every method. Those without scores are
            left out.

    Returns:
        dict[str, dict]: For every method with scores ``title``, ``config``, ``seeds``
        (scores by seed), ``mean`` and ``std`` (the sample's, None of a single run).
    """
    summary = {}
    for method, of_seeds in runs.items():
        scores: Dict[int, Scores] = {}
        for run in of_seeds:
            if osp.isfile(run.scores):
                with open(run.scores) as file:
                    scores[run.seed] = json.load(file)
        if scores:
            table = np.array([[s[key] for key in COLUMNS] for s in scores.values()])
            std = table.std(0, ddof=1) if len(table) > 1 else [None] * len(COLUMNS)
            summary[method] = dict(
                METHODS[method]._asdict(),
                seeds=scores,
                mean=dict(zip(COLUMNS, table.mean(0).tolist())),
                std=dict(zip(COLUMNS, np.asarray(std).tolist())),
            )
    return summary


def rows(summary: Dict[str, Dict[str, Any]]) -> List[List[str]]:
    """Cells of the table: method, number of runs, and mean ± deviation."""
    found = []
    for entry in summary.values():
        cells = [entry['title'], str(len(entry['seeds']))]
        for key in COLUMNS:
            mean, std = entry['mean'][key], entry['std'][key]
            cells.append(f'{mean:.1f}' + ('' if std is None else f' ± {std:.1f}'))
        found.append(cells)
    return found


def markdown(summary: Dict[str, Dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = [
        ['method', 'runs', *COLUMNS],
        ['---', *['---:'] * (1 + len(COLUMNS))],
        *rows(summary),
    ]
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in lines)


@styled
def plot(summary: Dict[str, Dict[str, Any]]) -> Figure:
    """Bars of AP50 by motion speed and by what is wrong with frames.

    Args:
        summary (dict[str, dict]): See :func:`summarize`.

    Returns:
        Figure: Bars of means, with deviations.
    """
    panels = [COLUMNS[:4], COLUMNS[4:6]]
    figure = Figure(figsize=(11, 4.2))
    axes = figure.subplots(
        1, 2, sharey=True, gridspec_kw=dict(width_ratios=[len(p) for p in panels])
    )
    width = 0.84 / len(summary)
    for i, entry in enumerate(summary.values()):
        shift = (i - (len(summary) - 1) / 2) * width
        for ax, keys in zip(axes, panels):
            means = [entry['mean'][key] for key in keys]
            bars = ax.bar(
                np.arange(len(keys)) + shift,
                means,
                width * 0.92,
                yerr=[entry['std'][key] or 0 for key in keys],
                error_kw=dict(elinewidth=1, capsize=2, ecolor='#444444'),
                color=PALETTE[i % len(PALETTE)],
                label=entry['title'],
            )
            ax.bar_label(bars, [f'{m:.0f}' for m in means], padding=2, fontsize=7)
    for ax, keys, title in zip(axes, panels, ('by motion speed', 'by frame')):
        ax.set_xticks(range(len(keys)), keys)
        ax.set_title(title)
    axes[0].set_ylim(0, 112)
    axes[0].set_yticks(range(0, 101, 20))
    axes[0].set_ylabel('AP50 (%), mean and deviation')
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=len(summary))
    return figure


def report(runs: Dict[str, List[Run]], work_dir: str) -> None:
    """Print the table; write it, all scores and the figure.

    Args:
        runs (dict[str, list[Run]]): Runs of every method.
        work_dir (str): Folder for ``table.md``, ``scores.json`` and ``figure.png``.
    """
    summary = summarize(runs)
    if not summary:
        return
    table = Table(title='AP50 on the val videos of tiny_vid, mean ± deviation')
    table.add_column('method')
    for name in ('runs', *COLUMNS):
        table.add_column(name, justify='right')
    for cells in rows(summary):
        table.add_row(*cells)
    Console().print(table)
    write_text(osp.join(work_dir, 'table.md'), markdown(summary))
    write_text(osp.join(work_dir, 'scores.json'), json.dumps(summary, indent=1))
    save_figure(plot(summary), osp.join(work_dir, 'figure.png'))
    Console().print(
        f'written to {work_dir}: table.md, scores.json, figure.png', soft_wrap=True
    )


def prepare_data(work_dir: str, launch: Launch) -> Dict[str, Any]:
    """Generate and convert tiny_vid unless it is there.

    Args:
        work_dir (str): Folder for the log.
        launch (Callable): Runs a program, as :class:`Launcher` does.

    Returns:
        dict[str, Any]: What the data was generated with.
    """
    root = osp.join(demo.ROOT, demo.DATA_ROOT)
    marker = osp.join(root, MARKER)
    last = osp.join(root, 'annotations', 'imagenet_det_30plus1cls.json')
    if not (osp.isfile(marker) and osp.isfile(last)):
        os.makedirs(work_dir, exist_ok=True)
        for stage in demo.stages(work_dir):
            if demo.DATA_ROOT in stage.command:
                Console().print(stage.title)
                launch(stage.command, osp.join(work_dir, 'data.txt'))
    with open(marker) as file:
        return json.load(file)['settings']


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=list(METHODS),
        default=list(METHODS),
        help='what to compare',
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0, 1, 2], help='a run for each'
    )
    parser.add_argument(
        '--work-dir', default='work_dirs/tiny_vid_experiment', help='folder of all runs'
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='how many runs go on at a time'
    )
    parser.add_argument(
        '--scale',
        type=float,
        default=1.0,
        help='train this many times as long as the configs say, e.g. 0.01 for a trial',
    )
    args = parser.parse_args(argv)
    if args.jobs < 1:
        parser.error('--jobs must be at least 1')
    if args.scale <= 0:
        parser.error('--scale must be above 0')
    args.methods = [method for method in METHODS if method in args.methods]
    args.seeds = sorted(set(args.seeds))
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Run the command line."""
    args = parse_args(argv)
    work_dir = osp.abspath(args.work_dir)
    os.chdir(demo.ROOT)  # the configs name the data relative to it
    launcher = Launcher()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))
    try:
        settings = prepare_data(work_dir, launcher)
        runs = plan(work_dir, args.methods, args.seeds, args.scale)
        detectors = [run for of_seeds in runs.values() for run in of_seeds]
        for run in detectors:
            stage: Optional[Run] = run
            while stage is not None:
                claim(stage, settings)
                stage = stage.start
        failures = complete(detectors, launcher, args.jobs, launcher.stop)
    except KeyboardInterrupt:
        raise SystemExit(
            'interrupted; the same command goes on from the last checkpoints'
        ) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    report(runs, work_dir)
    if failures:
        raise SystemExit('failed runs, left out above:\n' + '\n'.join(failures))


if __name__ == '__main__':
    main()
