"""Whatever is written to a disk that is full: an error names the file, and the file
that had the name before stays as it was, with nothing beside it.

Checkpoints of a training are in ``test_engine/test_resume.py``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Callable, Iterator

import cv2
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmengine.fileio import get_file_backend
from mmengine.structures import InstanceData
from mmtrack.registry import VISUALIZERS
from mmtrack.structures import TrackDataSample

from stpn_command import main as stpn
from stpn_plugin.apis import (
    CocoWriter,
    CsvWriter,
    FrameWriter,
    MotWriter,
    ResultWriter,
    VideoWriter,
)
from stpn_plugin.cli.converting_sets import extract_frames
from stpn_plugin.datasets.converters.coco_writer import CocoSetWriter
from stpn_plugin.engine import VideoVisualizationHook
from stpn_plugin.evaluation import DumpVideoResults
from stpn_plugin.evaluation.result_files import write_coco_json, write_vid_submission
from stpn_plugin.models import SingleFrameDetector
from stpn_plugin.utils import read_json, write_json
from stpn_plugin.visualization import save_figure
from stpn_plugin.visualization.html_page import HtmlPage
from stpn_plugin.weights import publish_checkpoint, write_checkpoint
from tests.support.exporting import require_export, small_config
from tests.support.full_disk import file_limit, small_disk
from tests.support.tiny_data import write_tiny_vid
from tests.support.toy_training import toy_config
from tests.support.video_models import save_weights

LIMIT = 4096 * 2
NOISE = np.random.default_rng(0)


def detections(number: int = 500) -> dict[str, Any]:
    boxes = NOISE.uniform(0, 60, (number, 4)).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    labels = NOISE.integers(0, 2, number)
    scores = NOISE.random(number).astype(np.float32)
    return dict(bboxes=boxes, labels=labels, scores=scores)


def prediction(frame_id: int = 0) -> TrackDataSample:
    found = {name: torch.from_numpy(value) for name, value in detections().items()}
    found['instances_id'] = torch.arange(len(found['labels']))
    sample = TrackDataSample(metainfo=dict(frame_id=frame_id, img_id=frame_id))
    return SingleFrameDetector.make_result(sample, InstanceData(**found))


def picture() -> np.ndarray:
    return NOISE.integers(0, 256, (64, 96, 3), np.uint8)


def write_frames(writer: ResultWriter) -> None:
    with writer:
        for i in range(40):
            writer.write(cv2.resize(picture(), (192, 128)), prediction(i))


def dump(path: Path) -> None:
    DumpVideoResults(str(path)).compute_metrics(
        [prediction(i).to_dict() for i in range(5)]
    )


def write_set(path: Path) -> None:
    with CocoSetWriter(str(path), [dict(id=1, name='a')], ['images']) as writer:
        for i in range(2000):
            writer.add('images', file_name=f'{i:020d}.jpg')


def write_page(path: Path) -> None:
    page = HtmlPage('title', {})
    page.section('section')
    page.text('text ' * 10_000)
    page.save(path)


def draw(path: Path) -> None:
    figure = Figure()
    figure.add_subplot().imshow(NOISE.random((100, 100)))
    save_figure(figure, str(path))


def weights() -> dict[str, torch.Tensor]:
    return dict(weight=torch.rand(50, 100))


def publish(path: Path) -> None:
    publish_checkpoint(str(path.parent.parent / 'source.pth'), str(path))


def whole_file(path: Path) -> None:
    get_file_backend(backend_args=dict(backend='whole_files')).put(b'x' * 50_000, path)


WRITERS: dict[str, Callable[[Path], None]] = {
    'a.npz': dump,
    'a.pkl': dump,
    'results.txt': lambda path: write_vid_submission(str(path), [detections()], [1, 2]),
    'bbox.json': lambda path: write_coco_json(str(path), [detections()], [1], [1, 2]),
    'metrics.json': lambda path: write_json(path, list(range(10_000))),
    'found.mp4': lambda path: write_frames(VideoWriter(str(path), 5)),
    'found.avi': lambda path: write_frames(VideoWriter(str(path), 5)),
    'found.csv': lambda path: write_frames(CsvWriter(str(path), 'ab')),
    'found.json': lambda path: write_frames(CocoWriter(str(path), 'ab', 'v')),
    'mot.txt': lambda path: write_frames(MotWriter(str(path))),
    'set.json': write_set,
    'page.html': write_page,
    'figure.png': draw,
    'figure.pdf': draw,
    'weights.pth': lambda path: write_checkpoint(str(path), weights(), {}),
    'published.pth': publish,
    'checkpoint.pth': whole_file,
}


@contextlib.contextmanager
def full_folder(kind: str, tmp_path: Path, limit: int = LIMIT) -> Iterator[Path]:
    """A folder where nothing larger than a few pages fits.

    Within the test alone, as pytest's own output may be a file.
    """
    folder = tmp_path / 'disk'
    folder.mkdir()
    if kind == 'full disk':
        with small_disk(folder, limit + 4096) as mounted:
            if mounted:
                yield folder
                return
    with file_limit(limit):  # also where nobody may mount a disk
        yield folder


@pytest.fixture(scope='module')
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What commands read: a model, a set of many classes, results, and a video."""
    folder = tmp_path_factory.mktemp('inputs')
    root = write_tiny_vid(folder / 'data', num_frames=3)
    cfg = small_config(root, 'retinanet', type='SingleFrameDetector')
    cfg.dump(str(folder / 'model.py'))
    save_weights(cfg, folder / 'model.pth')
    content = read_json(root / 'annotations/imagenet_vid_val.json')
    numbers = range(1, 901)
    content['categories'] = [dict(id=i, name=f'{i:015d}') for i in numbers]
    content['annotations'] = [
        dict(content['annotations'][0], id=i, instance_id=i, category_id=i)
        for i in numbers
    ]
    write_json(folder / 'set.json', content)
    write_frames(CocoWriter(str(folder / 'found.json'), 'ab', 'v'))
    write_frames(VideoWriter(str(folder / 'video.mp4'), 5))
    toy = toy_config(folder / 'toy', val=False)
    toy.dump(str(folder / 'toy.py'))
    return folder


#: Commands by the names of what they write; that is told as it was given.
COMMANDS = {
    'onnx/frame.onnx': 'export model.py model.pth -o {full}/onnx --maps',
    'torch/frame.pt2': 'export model.py model.pth -o {full}/torch --format torch',
    'pub/model.safetensors': 'publish model.pth -o {full}/pub --config model.py',
    'init.py': 'init set.json -o {full}/init.py',
    'fixed.json': 'check set.json --fix {full}/fixed.json',
    'a.csv': 'export-results found.json --to csv -o {full}/a.csv',
    'a.json': 'export-results found.json --to coco -o {full}/a.json',
    'a.xml': 'export-results found.json --to cvat-video -o {full}/a.xml',
    'mot/v.txt': 'export-results found.json --to mot -o {full}/mot',
    'vis.json': 'export-results found.json --to youtube-vis -o {full}/vis.json',
    'run': 'train toy.py --work-dir {full}/run',
}


KINDS = pytest.mark.parametrize('kind', ['full disk', 'limited files'])


@pytest.mark.slow
@KINDS
@pytest.mark.parametrize('name', WRITERS)
def test_a_full_disk(name: str, kind: str, tmp_path: Path) -> None:
    torch.save(dict(meta=dict(), state_dict=weights()), tmp_path / 'source.pth')
    with full_folder(kind, tmp_path) as full:
        path = full / name
        path.write_text('good')
        with pytest.raises(OSError, match=path.stem):
            WRITERS[name](path)
        assert path.read_text() == 'good'
        assert list(full.iterdir()) == [path]


@pytest.mark.slow
@KINDS
@pytest.mark.parametrize('name', COMMANDS)
def test_commands(
    name: str,
    kind: str,
    inputs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    if COMMANDS[name].startswith('export '):
        require_export('onnxscript')
    monkeypatch.chdir(inputs)
    # mmengine reads a config from a copy, which has to fit.
    limit = 16 * LIMIT if 'model.py' in COMMANDS[name] else LIMIT
    with full_folder(kind, tmp_path, limit) as full:
        assert stpn(COMMANDS[name].format(full=full).split()) == 2
        said = capsys.readouterr().err
        assert f'error: {full / name} cannot be written: ' in said.splitlines()[-1]
        assert 'OSError' not in said  # nor a traceback of the log, message by message
        if name != 'run':
            assert not [path for path in full.rglob('*') if path.is_file()]


@KINDS
def test_extracted_frames(kind: str, inputs: Path, tmp_path: Path) -> None:
    with full_folder(kind, tmp_path) as full:
        with pytest.raises(OSError, match='disk/video/000000.jpg cannot be written: '):
            extract_frames([str(inputs / 'video.mp4')], str(full))
        assert not list(full.iterdir())


@KINDS
def test_frames(kind: str, tmp_path: Path) -> None:
    with full_folder(kind, tmp_path) as full:
        with pytest.raises(OSError, match='cannot be written'):
            write_frames(FrameWriter(str(full / 'frames')))
        assert not list((full / 'frames').iterdir())


@pytest.mark.slow
@KINDS
def test_pictures_of_a_test_run(kind: str, tmp_path: Path) -> None:
    frame = tmp_path / 'video/000000.jpg'
    frame.parent.mkdir()
    sample = prediction()
    sample.set_metainfo(dict(img_path=str(frame)))
    quality = [cv2.IMWRITE_JPEG_QUALITY, 1]  # what is drawn is written with 95
    content = cv2.imencode('.jpg', cv2.resize(picture(), (384, 256)), quality)[1]
    frame.write_bytes(content.tobytes())
    VISUALIZERS.build(dict(type='DetLocalVisualizer', name='full_disk'))
    with full_folder(kind, tmp_path) as full:
        hook = VideoVisualizationHook(draw=True, interval=1, test_out_dir=str(full))
        with pytest.raises(OSError, match='000000.jpg cannot be written'):
            hook.after_test_iter(None, 0, {}, [sample])
        assert not [path for path in full.rglob('*') if path.is_file()]
