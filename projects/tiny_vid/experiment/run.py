"""How it is run: programs side by side, and nothing twice."""

from __future__ import annotations

import functools
import json
import os
import os.path as osp
import shlex
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from glob import escape, glob
from typing import Any, Callable, Sequence

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from projects.tiny_vid import demo
from projects.tiny_vid.experiment.plan import Run, start_key
from projects.tiny_vid.frame_metrics import FRAMES
from projects.tiny_vid.generate import MARKER, Settings
from projects.tiny_vid.scores import score
from stpn_plugin.evaluation import load_saved_run
from stpn_plugin.utils import whole_text

# Columns of the tables of tracks, and what the metrics call them.
TRACK_METRICS = {
    'mot': {
        f'{metric} {frames}': f'{frames}/{metric}'
        for metric in ('HOTA', 'IDF1')
        for frames in FRAMES
    },
    'vis': {f'AP {frames}': f'{frames}/segm_mAP' for frames in FRAMES},
}

Launch = Callable[[Sequence[str], str], None]


class Launcher:
    """Runs Python programs of the repository, each with one computing thread."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, command: Sequence[str], log: str) -> None:
        """Run a program to its end.

        Args:
            command: Arguments of Python.
            log: File to append its output to.

        Raises:
            RuntimeError: The program failed, or :meth:`stop` was called.
        """
        paths = [demo.ROOT, *filter(None, [os.environ.get('PYTHONPATH')])]
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(paths),
            'OMP_NUM_THREADS': '1',  # a run for each core beats threads for each run
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


def write_text(path: str, text: str) -> None:
    """Write a file, which gets its name when it is complete."""
    with whole_text(path) as file:
        file.write(text)


def prepare_data(work_dir: str, launch: Launch) -> dict[str, Any]:
    """Generate and convert tiny_vid unless it is there, whole.

    The demo leaves most still images out.

    Args:
        work_dir: Folder for the log.
        launch: Runs a program, as :class:`Launcher` does.

    Returns:
        What the data was generated with.
    """
    root = osp.join(demo.ROOT, demo.DATA_ROOT)
    marker = osp.join(root, MARKER)
    last = osp.join(root, 'annotations', 'tiny_vis_val.json')
    if not osp.isfile(last) or _settings(marker) != asdict(Settings()):
        os.makedirs(work_dir, exist_ok=True)
        to_tasks = ['-m', 'projects.tiny_vid.tasks', demo.DATA_ROOT]
        others = demo.Stage('write the annotations of other tasks', to_tasks)
        for stage in [*demo.data_stages(), others]:
            Console().print(stage.title)
            launch(stage.command, osp.join(work_dir, 'data.txt'))
    return _settings(marker)


def _settings(marker: str) -> dict[str, Any]:
    with open(marker) as file:
        return json.load(file)['settings']


def claim(run: Run, settings: dict[str, Any]) -> None:
    """Record what a run is made with, or compare with the record.

    Args:
        run: The run.
        settings: What the data was generated with.

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


def train(run: Run, launch: Launch) -> None:
    """Train, or go on with it, unless it is done.

    Args:
        run: The run.
        launch: Runs a program, as :class:`Launcher` does.
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
    """Train and test a model, as far as this is not done."""
    if osp.isfile(run.results):
        return
    train(run, launch)
    command = ['tools/test.py', run.config, run.checkpoint]
    command += ['--work-dir', f'{run.folder}/test']
    if run.method is None or run.method.task == 'vid':
        launch([*command, '--out', run.results], run.log)
    else:
        launch(command, run.log)
        write_text(run.results, json.dumps(last_metrics(f'{run.folder}/test')))


def last_metrics(work_dir: str) -> dict[str, float]:
    """Metrics of the last test in a work dir, as its log has them."""
    logs = glob(osp.join(escape(work_dir), '*', '[0-9]*.json'))
    if not logs:
        raise RuntimeError(f'{work_dir} has no log of a test')
    with open(max(logs, key=osp.getmtime)) as file:
        return json.loads(file.readlines()[-1])


def save_scores(run: Run) -> None:
    """Score a tested model."""
    if run.method is None or run.method.task == 'vid':
        saved = load_saved_run(run.cfg, run.results)
        scores = score(saved, run.cfg.test_dataloader.dataset.data_root)
    else:
        with open(run.results) as file:
            metrics = json.load(file)
        scores = {
            column: 100 * metrics[name]
            for column, name in TRACK_METRICS[run.method.task].items()
        }
    write_text(run.scores, json.dumps(scores, indent=1))


def in_parallel(
    work: Callable[[Run], None],
    runs: Sequence[Run],
    jobs: int,
    done: Callable[[Run, BaseException | None], None],
    stop: Callable[[], None],
) -> None:
    """Do the work of several runs at a time.

    Args:
        work: What to do with a run.
        runs: The runs.
        jobs: How many at a time.
        done: Told in the main thread of each run that ended, and of its error.
        stop: Called to end the work that goes on when something, such as the user,
            interrupts it.
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


def earlier_stages(runs: Sequence[Run]) -> list[list[Run]]:
    """What has to be trained before some runs can be, stage by stage."""
    stages: list[list[Run]] = []
    while runs:
        starts = {run.start.folder: run.start for run in runs if run.start is not None}
        runs = [run for run in starts.values() if not run.is_trained]
        stages.insert(0, runs)
    return stages[1:]


def complete(
    runs: Sequence[Run], launch: Launch, jobs: int, stop: Callable[[], None]
) -> list[str]:
    """Do what the runs lack: first of the stages that they start from, then of them.

    Args:
        runs: Runs of the methods.
        launch: Runs a program, as :class:`Launcher` does.
        jobs: How many runs go on at a time.
        stop: Ends all programs.

    Returns:
        What went wrong. A run that fails does not stop others.
    """
    # Those last that test the weights of others.
    todo = [run for run in runs if not osp.isfile(run.scores)]
    todo.sort(key=lambda run: not run.trains)
    stages = earlier_stages([run for run in todo if not osp.isfile(run.results)])
    failures: list[str] = []
    failed: set[int] = set()  # seeds with a stage missing
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

        def done(run: Run, error: BaseException | None) -> None:
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
