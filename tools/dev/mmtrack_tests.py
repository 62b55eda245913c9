"""Run mmtracking's own tests with and without this plugin, and compare what they do.

The argument is a checkout of mmtracking v1.0.0rc1: its ``tests/`` is copied, and runs
against the mmtrack that is installed, with the checkout's ``configs/`` beside it. The
exit status is 1 if a test passes without the plugin alone, but for those that
``INTENDED`` gives a reason for. The tests need the package ``parameterized``, which
this project does not.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Counter as CounterType
from xml.etree import ElementTree

from stpn_plugin.utils import text_table

ROOT = Path(__file__).resolve().parents[2]

#: What to run, by part. The rest is about SOT and re-identification.
PARTS = {
    'VID': ['test_models/test_vid'],
    'aggregators': ['test_models/test_aggregators'],
    'RoI heads': ['test_models/test_roi_heads'],
    'data preprocessor': ['test_models/test_data_preprocessors'],
    'data sets': ['test_datasets'],
    'evaluation': ['test_evaluation'],
    'engine': ['test_engine'],
    'structures': ['test_strutures'],  # sic
    'visualization': ['test_visualization'],
    'MOT': ['test_models/test_mot', 'test_models/test_motion'],
    'trackers': ['test_models/test_trackers', 'test_models/test_track_heads'],
    'VIS': ['test_models/test_vis'],
}

#: Tests that fail with the plugin, and are meant to.
INTENDED = {
    'TestYouTubeVISDataset::test_set_dataset_classes': (
        'sets classes that its annotation file does not have, which shifts the labels; '
        'here that is an error'
    )
}


def main() -> int:
    """Run and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    if importlib.util.find_spec('parameterized') is None:
        parser.error('the tests need the package parameterized: pip install it')
    parser.add_argument('checkout', type=Path, help='folder of mmtracking v1.0.0rc1')
    parser.add_argument(
        '--parts', nargs='+', choices=list(PARTS), default=list(PARTS), metavar='PART'
    )
    parser.add_argument(
        '--log',
        type=Path,
        help='keep what pytest prints: FILE.stock, FILE.plugin',
    )
    args = parser.parse_args()
    if not (args.checkout / 'tests/test_models/test_vid').is_dir():
        parser.error(f'{args.checkout} is no checkout of mmtracking 1.x')
    rows: list[tuple] = [
        ('part', 'tests', 'stock', 'with the plugin', 'better', 'worse')
    ]
    different = []
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        # Not the checkout itself, which has an `mmtrack` of its own. mmtrack looks for
        # configs beside its package.
        shutil.copytree(args.checkout / 'tests', Path(folder) / 'tests')
        (Path(folder) / 'configs').symlink_to((args.checkout / 'configs').resolve())
        package = importlib.util.find_spec('mmtrack')
        assert package is not None and package.origin is not None
        (Path(folder) / 'mmtrack').symlink_to(Path(package.origin).parent)
        stock = run(Path(folder), args.parts, plugin=False, log=args.log)
        plugin = run(Path(folder), args.parts, plugin=True, log=args.log)
    for part in args.parts:
        of_part = tuple(f'tests/{path}' for path in PARTS[part])
        names = sorted(n for n in {*stock, *plugin} if n.startswith(of_part))
        changed = [name for name in names if stock.get(name) != plugin.get(name)]
        better = [name for name in changed if plugin.get(name) == 'passed']
        different += changed
        total += len(names)
        rows.append(
            (
                part,
                len(names),
                *(
                    summary([run[n] for n in names if n in run])
                    for run in (stock, plugin)
                ),
                len(better),
                len(changed) - len(better),
            )
        )
    worse = [name for name in different if plugin.get(name) != 'passed']
    sums = (summary(list(stock.values())), summary(list(plugin.values())))
    rows.append(('all', total, *sums, len(different) - len(worse), len(worse)))
    print(text_table(rows, total=True))
    for name in different:
        print(f'{name}: {stock.get(name)} -> {plugin.get(name)}')
        for end, reason in INTENDED.items():
            if name.endswith(end) and name in worse:
                worse.remove(name)
                print(f'    intended: it {reason}')
    for name in sorted(name for name in plugin if plugin[name] == stock.get(name)):
        if stock[name] != 'passed':
            print(f'{stock[name]} with and without the plugin: {name}')
    return int(bool(worse) or not total)


def run(
    folder: Path, parts: list[str], plugin: bool, log: Path | None
) -> dict[str, str]:
    """Outcome of each test, by its name.

    Raises:
        RuntimeError: pytest itself failed.
    """
    report = folder / f'{plugin}.xml'
    # As a program: `python -m pytest` finds packages in the current folder first.
    command = [str(Path(sys.executable).with_name('pytest')), '-q']
    command += ['-p', 'no:cacheprovider', f'--junitxml={report}', '--rootdir=.']
    if plugin:
        command += ['-p', 'stpn_plugin']
    command += [f'tests/{path}' for part in parts for path in PARTS[part]]
    environ = {'OMP_NUM_THREADS': '1', 'OMP_WAIT_POLICY': 'PASSIVE', **os.environ}
    paths = [str(folder), str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    environ['PYTHONPATH'] = os.pathsep.join(paths)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding='utf-8',
    )
    if log:
        suffix = '.plugin' if plugin else '.stock'
        log.with_name(log.name + suffix).write_text(done.stdout)
    if done.returncode not in (0, 1) or not report.exists():
        raise RuntimeError(f'pytest failed:\n{done.stdout[-5000:]}')
    outcomes: dict[str, str] = {}
    for case in ElementTree.parse(report).iter('testcase'):
        place = case.get('classname', '').replace('.', '/')
        kinds = [child.tag for child in case if child.tag in OUTCOMES]
        outcome = OUTCOMES[kinds[0]] if kinds else 'passed'
        outcomes[f'{place}::{case.get("name")}'] = outcome
    return outcomes


OUTCOMES = {'failure': 'failed', 'error': 'failed', 'skipped': 'skipped'}


def summary(outcomes: list[str]) -> str:
    """How many tests ended how."""
    counts: CounterType[str] = Counter(outcomes)
    return ', '.join(f'{counts[kind]} {kind}' for kind in sorted(counts))


if __name__ == '__main__':
    sys.exit(main())
