from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmtrack.registry import MODELS
from torch import Tensor

from projects.tiny_vid import probe
from projects.tiny_vid.demo import CONFIG, ROOT
from projects.tiny_vid.generate import Settings, generate
from stpn_plugin.datasets.converters import convert_vid


def make_videos(seed: int, sharp: int) -> tuple[Tensor, Tensor]:
    """Features whose first ``sharp`` frames of 16 tell one of four classes."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.arange(80) % 4
    feats = torch.randn(80, 16, 8, generator=rng)
    feats[torch.arange(80), :sharp, labels] += 5
    return feats, labels


@pytest.mark.slow
def test_tells_what_features_know() -> None:
    accuracies = [
        probe.probe(make_videos(0, sharp), make_videos(1, sharp), count)
        for sharp, count in ((0, 14), (6, 1), (6, 14), (16, 1))
    ]
    nothing, one, many, every = accuracies
    assert nothing == pytest.approx(0.25, abs=0.1)
    assert one == pytest.approx(6 / 16 + 10 / 16 / 4, abs=0.1)
    assert many > 0.9 and every > 0.9


@pytest.mark.slow
def test_probes_detectors_and_backbones(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root = str(tmp_path / 'vid')
    settings = Settings(train_videos=4, val_videos=4, frames=14, stills=0)
    generate(root, settings)
    convert_vid(root, f'{root}/annotations')
    cfg = Config.fromfile(Path(ROOT, CONFIG))
    datasets = cfg.train_dataloader.dataset.datasets[0], cfg.val_dataloader.dataset
    for dataset in datasets:
        dataset.data_root = root
    frames, labels = probe.load_videos(datasets[1])
    assert frames.shape == (4, 14, settings.height, settings.width, 3)
    assert sorted(labels.tolist()) == [0, 1, 2, 3]

    cfg.model.detector.pop('init_cfg')
    model = MODELS.build(cfg.model)
    weights = model.detector.backbone.state_dict()
    torch.save(model.state_dict(), tmp_path / 'detector.pth')
    torch.save(
        {f'backbone.{key}': value for key, value in weights.items()},
        tmp_path / 'backbone.pth',
    )
    cfg.dump(tmp_path / 'config.py')
    names = ['config.py', 'detector.pth', 'backbone.pth']
    probe.main([str(tmp_path / name) for name in names])
    rows = [line for line in capsys.readouterr().out.split('\n') if ' %' in line]
    assert [row.count(' %') for row in rows] == [3, 3]
    assert rows[0].split('%')[0].split()[-1] == rows[1].split('%')[0].split()[-1]
