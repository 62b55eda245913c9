"""What ``stpn export`` writes gives what the model gives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Callable

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import Tensor

from stpn_plugin.apis import VideoDetector
from stpn_plugin.cli.export import main
from tests.support import tiny_models
from tests.support.exporting import require_export, small_config
from tests.support.video_models import assert_same, save_weights

CLOSE = dict(rtol=1e-3, atol=1e-3)
require_export()


def export(cfg: Config, folder: Path, *more: str) -> tuple[str, Path]:
    """Export random weights; returns the checkpoint and the folder."""
    config, out = folder / 'model.py', folder / 'exported'
    cfg.dump(str(config))
    checkpoint = save_weights(cfg, folder / 'weights.pth')
    assert main([str(config), checkpoint, '-o', str(out), *more]) == 0
    return checkpoint, out


@pytest.fixture(scope='module', params=['faster_rcnn', 'retinanet'])
def onnx(
    request: pytest.FixtureRequest,
    data_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """Eager detector, and folder of what it was exported to."""
    require_export('onnxruntime', 'onnxscript')
    cfg = small_config(data_root, request.param)
    checkpoint, out = export(cfg, tmp_path_factory.mktemp('onnx'))
    return VideoDetector(cfg, checkpoint, 'cpu'), out


@pytest.mark.slow
def test_whole_video_by_onnxruntime(onnx: Any, video_dir: Path) -> None:
    from stpn_plugin.deploy import OnnxVideoDetector

    eager, folder = onnx
    exported = OnnxVideoDetector(str(folder))
    assert exported.classes == eager.classes
    expected = list(eager.detect_video(video_dir))
    for batch_size in (1, 4):
        found = list(exported.detect_video(video_dir, batch_size))
        assert_same(found, expected, **CLOSE)


@pytest.mark.slow
def test_stream_by_onnxruntime(onnx: Any, video_dir: Path) -> None:
    from stpn_plugin.deploy import OnnxVideoDetector
    from stpn_plugin.models.prompting import PastSupport

    eager, folder = onnx
    exported = OnnxVideoDetector(str(folder))
    policy = PastSupport(num_frames=2, interval=2)
    frames = [mmcv.imread(str(path)) for path in sorted(video_dir.iterdir())]
    # Of another size, too: no graph is made for one.
    for scale in (1, 2):
        shown = [np.repeat(frame, scale, axis=0) for frame in frames]
        one, other = eager.stream(policy), exported.stream(policy)
        expected = [one.push(frame) for frame in shown]
        assert_same([other.push(frame) for frame in shown], expected, **CLOSE)


def maps_of(model: Any, frames: Tensor, prompts: Tensor | None) -> list[Tensor]:
    """Feature maps of a model, of frames that need no normalisation."""
    samples = tiny_models.samples(1, size=frames.shape[2:])
    data = dict(inputs=dict(img=[frames]), data_samples=samples)
    images = model.data_preprocessor(data, False)['inputs']['img'][0]
    detector = model.detector
    return list(detector.neck(detector.backbone(images, prompts)))


@pytest.mark.slow
def test_programs_of_torch_export(data_root: Path, tmp_path: Path) -> None:
    """Detections of RetinaNet, for batches and sizes that were not recorded."""
    cfg = small_config(data_root, 'retinanet')
    cfg.model.data_preprocessor.pad_size_divisor = 4  # odd maps are padded then
    checkpoint, out = export(cfg, tmp_path, '--format', 'torch')
    run: dict[str, Callable] = {
        name: torch.export.load(out / f'{name}.pt2').module()
        for name in ('support', 'prompts', 'frame')
    }
    model = VideoDetector(cfg, checkpoint, 'cpu').model
    for batch, size in ((1, (33, 20)), (3, (64, 101))):
        frames = torch.rand(batch, 3, *size) * 255
        support = torch.rand(2 * batch, 3, *size) * 255
        samples = tiny_models.samples(batch, size=size, num_refs=2)
        inputs = dict(img=list(frames[:, None]), ref_img=list(support.split(2)))
        data = model.data_preprocessor(dict(inputs=inputs, data_samples=samples), False)
        with torch.no_grad():
            expected = model.predict(**data)
            (features,) = run['support'](support)
            prompts = run['prompts']((features.unflatten(0, (batch, 2)),))
            boxes, scores, labels = run['frame'](frames, prompts)
        for i, sample in enumerate(expected):
            wanted, there = sample.pred_det_instances, labels[i] >= 0
            assert len(wanted) > 0
            torch.testing.assert_close(boxes[i][there], wanted.bboxes, **CLOSE)
            torch.testing.assert_close(scores[i][there], wanted.scores, **CLOSE)
            assert torch.equal(labels[i][there], wanted.labels)
            assert not scores[i][~there].any()


@pytest.mark.slow
def test_feature_maps_of_a_head_that_cannot_be_exported(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    cfg = small_config(data_root, 'fcos', type='SingleFrameDetector')
    checkpoint, out = export(cfg, tmp_path, '--format', 'torch', '--maps')
    assert sorted(path.name for path in out.iterdir()) == ['config.py', 'frame.pt2']
    model = VideoDetector(cfg, checkpoint, 'cpu').model
    frames = torch.rand(1, 3, 40, 70) * 255
    with torch.no_grad():
        found = torch.export.load(out / 'frame.pt2').module()(frames)
        for one, expected in zip(found, maps_of(model, frames, None)):
            torch.testing.assert_close(one, expected, **CLOSE)
    capsys.readouterr()
    again = [str(tmp_path / 'model.py'), checkpoint, '-o', str(tmp_path / 'other')]
    assert main(again) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert 'FCOSHead cannot be exported' in line and '--maps' in line
    assert not (tmp_path / 'other').exists()


def told(capsys: pytest.CaptureFixture, cfg: Config, folder: Path, *more: str) -> str:
    """The one line that an export ends with."""
    cfg.dump(str(folder / 'model.py'))
    checkpoint = save_weights(cfg, folder / 'weights.pth')
    words = [str(folder / 'model.py'), checkpoint, '-o', str(folder / 'out'), *more]
    assert main(words) == 2
    assert not (folder / 'out').exists()
    line = capsys.readouterr().err.splitlines()[-1]  # behind torch's warnings
    assert ': error: ' in line
    return line


def test_missing_packages(
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    for name in ('onnx', 'onnxruntime'):
        monkeypatch.setitem(sys.modules, name, None)
    line = told(capsys, small_config(data_root), tmp_path)
    assert 'pip install "stpn_plugin[export]"' in line

    from stpn_plugin.deploy import OnnxVideoDetector
    from stpn_plugin.utils import MissingPackageError

    cfg = small_config(data_root)
    cfg.model = dict(type='OnnxSTPN')
    cfg.dump(str(tmp_path / 'config.py'))
    (tmp_path / 'frame.onnx').write_bytes(b'')
    with pytest.raises(MissingPackageError, match=r'onnxruntime.*\[export\]'):
        OnnxVideoDetector(str(tmp_path))


def test_models_that_cannot_be_exported(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip('onnxscript')
    cfg = small_config(data_root)
    cfg.model.detector.test_cfg.rcnn.nms = dict(type='soft_nms', iou_threshold=0.5)
    assert 'soft_nms' in told(capsys, cfg, tmp_path)
