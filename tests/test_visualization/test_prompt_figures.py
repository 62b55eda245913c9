"""Figures for which a detector runs over a video."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmtrack.registry import MODELS

from stpn_plugin.builders import build_dataset
from stpn_plugin.evaluation import load_saved_run
from stpn_plugin.models.vid import STPN, SingleFrameDetector
from stpn_plugin.visualization import (
    build_detector,
    compare_prompts,
    find_video,
    plot_prompt_attention,
    plot_prompt_comparison,
    prompts_withheld,
    run_video,
    write_report,
)
from tests.support import tiny_models

CLASSES = [f'class {i}' for i in range(30)]


@pytest.fixture
def detector(cfg: Config, checkpoint: Path) -> STPN:
    return build_detector(cfg, str(checkpoint))


def test_attention(detector: STPN, cfg: Config) -> None:
    dataset = build_dataset(cfg)
    video = find_video(dataset)
    figures = plot_prompt_attention(detector, dataset, video, [3, 1])
    assert list(figures) == ['support', 'stages']
    support = np.array(figures['support'].axes[:-1]).reshape(5 + 2, 2)
    assert [ax.get_title() for ax in support[0]] == ['frame 0', 'frame 3']
    shares = [float(ax.get_title().rstrip('%')) for ax in support[1]]
    assert sum(shares) == pytest.approx(100, abs=0.11)
    mean = np.mean([ax.images[1].get_array() for ax in support[1]])
    assert mean == pytest.approx(1, abs=1e-5)
    stages = np.array(figures['stages'].axes[:-1]).reshape(2, 5)
    assert [ax.get_title() for ax in stages[:, 0]] == ['frame 1', 'frame 3']
    sizes = [ax.images[1].get_array().shape for ax in stages[0, 1:]]
    assert sizes == [(16, 24), (8, 12), (4, 6), (2, 3)]
    # What the frame is drawn over is the frame.
    _, frame = list(run_video(detector, dataset, video, 2))
    rgb = frame.inputs['img'][0].numpy().transpose(1, 2, 0)[..., ::-1]
    assert np.array_equal(stages[0, 0].images[0].get_array(), rgb)


def test_attention_of_other_prompts(cfg: Config, checkpoint: Path) -> None:
    """Without attention over support frames, there is none to show."""
    cfg.model.prompt_predictor = dict(
        type='AveragePromptPredictor',
        in_channels=tiny_models.CHANNELS[-1],
        prompt_dims=tiny_models.CHANNELS[0],
    )
    detector = MODELS.build(cfg.model).eval()
    dataset = build_dataset(cfg)
    figures = plot_prompt_attention(detector, dataset, find_video(dataset), [0])
    assert list(figures) == ['stages']


@pytest.mark.parametrize(
    'parts',
    [
        dict(type='STPNByteTrack', **tiny_models.BYTE),
        dict(type='STPNQDTrack', **tiny_models.qdtrack_parts()),
    ],
    ids=lambda parts: parts['type'],
)
def test_other_tasks(cfg: Config, parts: dict[str, Any]) -> None:
    """Any prompted model has such pictures, also one that gives tracks alone."""
    cfg.model.update(parts)
    tracker = MODELS.build(cfg.model).eval()
    dataset = build_dataset(cfg)
    video = find_video(dataset)
    figures = plot_prompt_attention(tracker, dataset, video, [0])
    assert list(figures) == ['support', 'stages']
    comparison = compare_prompts(tracker, dataset, video, [0, 2], 30)
    first, withheld = comparison.prompted[0], comparison.withheld[0]
    assert len(first['bboxes']) == len(first['scores']) > 0
    assert not np.array_equal(first['scores'], withheld['scores'])


@pytest.fixture
def single_frame(cfg: Config) -> SingleFrameDetector:
    cfg.model.type = 'SingleFrameDetector'
    cfg.model.pop('prompt_predictor')
    return MODELS.build(cfg.model).eval()


def test_detector_without_prompts(
    single_frame: SingleFrameDetector, cfg: Config
) -> None:
    dataset = build_dataset(cfg)
    video = find_video(dataset)
    with pytest.raises(TypeError, match='SingleFrameDetector has no prompts'):
        plot_prompt_attention(single_frame, dataset, video, [0])
    with pytest.raises(TypeError, match='SingleFrameDetector has no prompts'):
        compare_prompts(single_frame, dataset, video, [0], 30)


def test_withheld_prompts_are_none(
    detector: STPN, single_frame: SingleFrameDetector, cfg: Config
) -> None:
    single_frame.detector.load_state_dict(detector.detector.state_dict())
    dataset = build_dataset(cfg)
    video = find_video(dataset)
    comparison = compare_prompts(detector, dataset, video, [2, 0], 30)
    assert comparison.frames == [0, 2]
    expected = list(run_video(single_frame, dataset, video, 3))
    for det, frame in zip(comparison.withheld, (expected[0], expected[2])):
        instances = frame.result.pred_det_instances
        assert np.allclose(det['bboxes'], instances.bboxes, atol=1e-3)
        assert np.allclose(det['scores'], instances.scores, atol=1e-5)
    assert not np.array_equal(
        comparison.prompted[0]['scores'], comparison.withheld[0]['scores']
    )
    prompted = list(run_video(detector, dataset, video, 1))[0].result
    assert np.array_equal(
        comparison.prompted[0]['scores'], prompted.pred_det_instances.scores
    )


@pytest.mark.parametrize('deep', [False, True])
def test_withholding_any_prompts(deep: bool) -> None:
    backbone = MODELS.build(tiny_models.backbone()).eval()
    if deep:
        source = dict(
            type='DeepPromptPredictor',
            predictor=dict(type='AveragePromptPredictor'),
            channels=tiny_models.CHANNELS,
            blocks=[(2, 0)],
        )
    else:
        source = tiny_models.predictor()
    predictor = MODELS.build(source)
    detector = STPN.__new__(STPN)
    torch.nn.Module.__init__(detector)
    detector.prompt_predictor = predictor
    img = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        feats = predictor.support_features(backbone, img)
        if deep:
            feats = {place: feat[None] for place, feat in feats.items()}
        else:
            feats = feats[None]
        plain = backbone(img)
        with prompts_withheld(detector):
            withheld = backbone(img, predictor(feats))
        prompted = backbone(img, predictor(feats))
    assert torch.equal(withheld[-1], plain[-1])
    assert not torch.equal(prompted[-1], plain[-1])


def test_comparison_figure(detector: STPN, cfg: Config) -> None:
    dataset = build_dataset(cfg)
    video = find_video(dataset)
    comparison = compare_prompts(detector, dataset, video, [0, 2], 30)
    figure = plot_prompt_comparison(comparison, video, CLASSES, score_thr=0.02)
    axes = np.array(figure.axes).reshape(2, 2)
    score = comparison.withheld_scores[1]
    assert (
        axes[1, 1].get_title() == f'frame 2, prompts withheld: frame score {score:.2f}'
    )
    shown = (comparison.prompted[0]['scores'] >= 0.02).sum()
    assert shown and len(axes[0, 0].patches) == 1 + shown


@pytest.mark.parametrize('frames', [[], [4], [-1, 0]])
def test_no_such_frames(detector: STPN, cfg: Config, frames: list) -> None:
    dataset = build_dataset(cfg)
    with pytest.raises(ValueError, match='has the frames 0 to 3'):
        plot_prompt_attention(detector, dataset, find_video(dataset), frames)


@pytest.fixture
def pvt(cfg: Config) -> Config:
    """Config of an STPN whose backbone is no Swin."""
    cfg.model.detector.backbone = dict(
        type='mmtrack.STPNPyramidVisionTransformerV2',
        embed_dims=16,
        num_layers=(1, 1, 1, 1),
        num_heads=(1, 2, 4, 8),
        init_cfg=None,
    )
    cfg.model.detector.neck.in_channels = [16, 32, 64, 128]
    cfg.model.prompt_predictor = dict(
        type='AveragePromptPredictor', in_channels=128, prompt_dims=16
    )
    return cfg


@pytest.mark.slow
def test_other_backbones_are_drawn_too(
    pvt: Config, results: Path, tmp_path: Path
) -> None:
    detector = MODELS.build(pvt.model).eval()
    dataset = build_dataset(pvt)
    figures = plot_prompt_attention(detector, dataset, find_video(dataset), [0])
    assert list(figures) == ['stages']
    torch.save(dict(state_dict=detector.state_dict()), tmp_path / 'pvt.pth')
    run = load_saved_run(pvt, str(results))
    path = tmp_path / 'report.html'
    missing = write_report(
        str(path), pvt, [run], (), str(tmp_path / 'pvt.pth'), num_frames=1
    )
    assert missing == ['Training']
    assert 'score with prompts' in path.read_text()


def test_backbones_without_access_to_blocks_are_refused(
    detector: STPN, cfg: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = build_dataset(cfg)
    backbone = type(detector.detector.backbone)
    monkeypatch.delattr(backbone.__mro__[1], 'patch_attention')
    with pytest.raises(TypeError, match='pictures of attention.*patch_attention'):
        plot_prompt_attention(detector, dataset, find_video(dataset), [0])
