from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from mmengine.config import Config

from stpn_plugin.evaluation import SavedRun, load_saved_run
from stpn_plugin.visualization import (
    HtmlPage,
    class_aps,
    plot_class_aps,
    plot_confusion_matrix,
    write_report,
)
from stpn_plugin.visualization.frames import frame_sheet

TITLES = [
    'Accuracy by motion speed',
    'Precision and recall',
    'Kinds of errors',
    'Confusion of classes',
    'Worst frames',
    'Training',
    'Prompts',
]


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = tmp_path_factory.mktemp('my_training')
    path = work_dir / '1/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    entries = [dict(lr=0.1, loss=1 / step, step=step) for step in (10, 20)]
    path.write_text('\n'.join(map(json.dumps, entries)))
    return work_dir


@pytest.fixture
def report(
    cfg: Config, results: Path, checkpoint: Path, work_dir: Path, tmp_path: Path
) -> Path:
    path = tmp_path / 'new/report.html'
    runs = [load_saved_run(cfg, str(results), name) for name in ('<a>', 'b')]
    missing = write_report(
        str(path),
        cfg,
        runs,
        [str(work_dir)],
        str(checkpoint),
        num_frames=2,
        command='stpn report <b>',
    )
    assert missing == []
    return path


@pytest.mark.slow
def test_complete(report: Path) -> None:
    content = report.read_text()
    assert re.findall('<h2>(.*?)</h2>', content) == TITLES
    assert 'Not included' not in content
    assert content.count('<img ') == content.count('base64,') == 11
    assert not re.search(r'(src|href)="(?!data:image/(png|jpeg);base64,|#)', content)
    assert '<a>' not in content.replace('<a href', '') and '&lt;a&gt;' in content
    rows = [re.findall('<t[dh].*?>(.*?)</t[dh]>', row) for row in content.split('<tr>')]
    assert ['&lt;a&gt;', '0.5', '50.0', '50.0', '100.0', '–'] in rows
    assert ['classification', 'right place, wrong class', '5', '50.0'] in rows
    assert [path.name for path in report.parent.iterdir()] == ['report.html']


@pytest.mark.skipif(shutil.which('chromium') is None, reason='needs chromium')
def test_in_a_browser(report: Path, tmp_path: Path) -> None:
    """All pictures show, nothing is wider than the page, all links lead somewhere."""
    check = """<script>
    const root = document.documentElement;
    const images = [...document.images];
    const links = [...document.querySelectorAll('nav a')];
    document.body.innerHTML = JSON.stringify({
      images: images.length,
      shown: images.filter(i => i.complete && i.naturalWidth > 100).length,
      overflow: root.scrollWidth - root.clientWidth,
      broken: links.filter(a => !document.querySelector(a.hash)).length,
      requests: performance.getEntriesByType('resource').filter(
        r => !r.name.startsWith('data:')).length,
    });</script></body>"""
    page = tmp_path / 'checked.html'
    page.write_text(report.read_text().replace('</body>', check))
    done = subprocess.run(
        ['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--dump-dom']
        + ['--window-size=900,900', f'--user-data-dir={tmp_path}/user', page.as_uri()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding='utf-8',
        timeout=120,
    )
    found = json.loads(re.search('<body>(.*?)</body>', done.stdout, re.S).group(1))
    assert found == dict(images=11, shown=11, overflow=0, broken=0, requests=0)


def test_missing_parts_are_named(cfg: Config, results: Path, tmp_path: Path) -> None:
    run = load_saved_run(cfg, str(results))
    run = run._replace(img_paths=['nowhere.jpg'] * len(run.gts))
    missing = write_report(str(tmp_path / 'a.html'), cfg, [run])
    assert missing == ['Worst frames', 'Training', 'Prompts']
    content = (tmp_path / 'a.html').read_text()
    assert re.findall('<h2>(.*?)</h2>', content) == TITLES
    reasons = re.findall('Not included: (.*?)</p>', content)
    assert reasons == [
        'frame nowhere.jpg does not exist',
        'no work dir of a training run is given',
        'no checkpoint is given',
    ]


def test_many_classes_can_be_read(cfg: Config, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    classes = tuple(f'class {i}' for i in range(100))
    gts = [
        dict(
            bboxes=np.array([[0, 0, 40, 40.0]]),
            labels=np.array([i % 100]),
            motion_ious=np.array([0.8]),
        )
        for i in range(300)
    ]
    dets = [
        dict(
            gt,
            labels=gt['labels'] if rng.random() < 0.7 else rng.integers(0, 100, 1),
            scores=rng.random(1),
        )
        for gt in gts
    ]
    run = SavedRun('run', classes, gts, dets, [None] * len(gts))
    figures = {
        'aps': plot_class_aps({'run': class_aps(run)}),
        'confusion': plot_confusion_matrix(run),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / f'{name}.png')  # lays it out
        labels = [t for t in figure.axes[0].get_yticklabels() if t.get_text()]
        assert len(labels) >= 100
        places = sorted(t.get_window_extent().y0 for t in labels)
        height = labels[0].get_window_extent().height
        assert min(np.diff(places)) >= 0.75 * height, f'{name}: names overlap'
    write_report(str(tmp_path / 'report.html'), cfg, [run])
    content = (tmp_path / 'report.html').read_text()
    assert 'for the 7 classes of highest AP, and the 7 of lowest,' in content
    assert len(content) < 3e6


def test_forty_frames_take_less_than_3_mb() -> None:
    rng = np.random.default_rng(0)
    figure, axes = frame_sheet(20, 2, (360, 640), width=4)
    for ax in axes.flat:
        noise = rng.integers(0, 255, (45, 80, 3), np.uint8)
        ax.imshow(cv2.resize(noise, (640, 360), interpolation=cv2.INTER_CUBIC))
    page = HtmlPage('title', {})
    page.section('frames')
    page.frames(figure, 'caption')
    assert 1e5 < len(page.render()) < 3e6


def test_facts(report: Path) -> None:
    facts = dict(re.findall('<dt>(.*?)</dt><dd>(.*?)</dd>', report.read_text()))
    assert list(facts) == ['date', 'config', 'checkpoint', 'command', 'data']
    assert facts['date'].startswith(f'{datetime.now():%Y-%m}')
    assert facts['command'] == 'stpn report &lt;b&gt;'
    assert facts['checkpoint'].endswith('untrained.pth')


def test_page_escapes() -> None:
    page = HtmlPage('a < b', {'&': '"&"'})
    page.section('One & two')
    page.table([['name', 'value'], ['<i>', 1.5], ['j', '–']])
    page.text('<script>')
    page.missing('<script>')
    page.figure(Figure(), '">')
    content = page.render()
    assert '<script>' not in content and 'alt="&#34;&gt;"' in content
    assert (
        '<h1>a &lt; b</h1>' in content
        and '<dt>&amp;</dt><dd>&#34;&amp;&#34;</dd>' in content
    )
    assert '<td>&lt;i&gt;</td><td class="number">1.5</td>' in content
    assert '<a href="#one-two">One &amp; two</a>' in content
