from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Dict

import pytest
import torch
from mmengine.config import Config
from mmtrack.registry import MODELS
from torch import Tensor

from stpn_plugin.builders import build_model
from stpn_plugin.datasets.imagenet_classes import IMAGENET_VID_CLASSES
from stpn_plugin.weights import convert_weights, rename
from tests.support import swin_names, tiny_models
from tests.support.golden import ROOT as GOLDEN
from tests.support.golden import load_golden

ROOT = Path(__file__).parents[2]
RELEASED = json.loads((GOLDEN / 'official_swint_keys.json').read_text())
VID = tuple(IMAGENET_VID_CLASSES)
State = Dict[str, Tensor]


def tiny_config(num_classes: int = 30, **prompt_predictor) -> Config:
    detector = tiny_models.detector('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    detector.roi_head.bbox_head.num_classes = num_classes
    model = dict(
        type='STPN',
        detector=detector,
        prompt_predictor=prompt_predictor or tiny_models.predictor(),
    )
    return Config(dict(default_scope='mmtrack', model=model))


def part(weights: State, prefix: str) -> State:
    """Entries under a prefix, without it."""
    return {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}


def with_prefix(weights: State, prefix: str) -> State:
    return {prefix + k: v for k, v in weights.items()}


def without_indices(weights: State) -> State:
    return {k: v for k, v in weights.items() if not k.endswith('position_index')}


def assert_same(ours: State, others: State) -> None:
    assert set(ours) == set(others)
    assert all(torch.equal(ours[k], others[k]) for k in ours)


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('config') / 'config.py'
    tiny_config().dump(str(path))
    return path


@pytest.fixture(scope='module')
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    model = build_model(tiny_config())
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


@pytest.fixture(scope='module')
def weights(model: torch.nn.Module) -> State:
    return model.state_dict()


def convert(source: Path, content: dict, *options: object) -> tuple[int, dict | None]:
    """Run the tool; returns its exit status and what it wrote, if it did."""
    torch.save(content, str(source))
    target = source.with_name('converted.pth')
    tool = ROOT / 'tools/model_converters/convert_checkpoint.py'
    main = runpy.run_path(str(tool))['main']
    status = main([str(word) for word in (source, target, *options)])
    written = torch.load(str(target), weights_only=True) if target.exists() else None
    return status, written


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: dict(state_dict=weights, optimizer=dict(state={}), meta={}),
        lambda weights: with_prefix(weights, 'module.'),
        lambda weights: dict(
            state_dict_ema={**with_prefix(weights, 'module.'), 'n': torch.tensor(3)},
            state_dict={k: v + 1 for k, v in weights.items()},
        ),
    ],
    ids=['STPN, vfe.pytorch', 'data parallel', 'averaged'],
)
def test_video_detectors(tmp_path: Path, weights: State, config: Path, wrap) -> None:
    status, written = convert(tmp_path / 'a.pth', wrap(weights), '--config', config)
    assert status == 0
    assert_same(written['state_dict'], weights)
    assert set(written) == {'state_dict', 'meta'}
    assert written['meta']['dataset_meta'] == dict(CLASSES=VID, classes=VID)
    assert 'AttentionPromptPredictor' in written['meta']['cfg']


@pytest.mark.parametrize('swin', ['mmdet', 'authors'])
def test_image_detectors(
    tmp_path: Path, weights: State, config: Path, swin: str, capsys
) -> None:
    source = part(weights, 'detector.')
    if swin == 'authors':
        backbone = part(source, 'backbone.')
        source = {k: v for k, v in source.items() if not k.startswith('backbone.')}
        source.update(with_prefix(swin_names.authors(backbone), 'backbone.'))
    content = dict(state_dict=source, meta=dict(CLASSES=['person'] * 80))
    status, written = convert(tmp_path / 'a.pth', content, '--config', config)
    shown = capsys.readouterr().out.splitlines()
    assert status == 1  # there is no prompt predictor
    assert 'missing      prompt_predictor.query' in shown
    bias = 'neck.fpn_convs.0.conv.bias'
    assert f'renamed      {bias} -> detector.{bias}' in shown
    assert ('dropped      backbone.head.weight' in shown) == (swin == 'authors')
    detector = {k: v for k, v in weights.items() if k.startswith('detector.')}
    assert_same(written['state_dict'], detector)
    assert written['meta']['dataset_meta']['CLASSES'] == VID  # 80 cannot be right


@pytest.mark.parametrize(
    'names',
    [dict, swin_names.authors, swin_names.timm],
    ids=['mmdet', 'authors', 'timm'],
)
def test_backbones(tmp_path: Path, weights: State, config: Path, names, capsys) -> None:
    backbone = part(weights, 'detector.backbone.')
    source = {k: v for k, v in names(backbone).items() if not k.startswith('norm')}
    source['norm.weight'] = torch.zeros(128)
    status, written = convert(
        tmp_path / 'a.pth', dict(model=source), '--config', config
    )
    assert status == 0
    shown = capsys.readouterr().out
    assert 'backbone only' in shown
    assert 'dropped      norm.weight' in shown
    assert '0 missing' in shown
    wanted = {k: v for k, v in backbone.items() if not k.startswith('norm')}
    assert_same(written['state_dict'], with_prefix(wanted, 'detector.backbone.'))
    assert 'dataset_meta' not in written['meta']


def test_backbone_of_a_detector(tmp_path: Path, weights: State, config: Path) -> None:
    options = ('--backbone-only', '--config', config)
    status, written = convert(tmp_path / 'a.pth', part(weights, 'detector.'), *options)
    assert status == 0
    backbone = {k: v for k, v in weights.items() if k.startswith('detector.backbone.')}
    assert_same(written['state_dict'], backbone)


def test_everything_is_reported(
    tmp_path: Path, weights: State, config: Path, capsys
) -> None:
    source = dict(weights)
    del source['prompt_predictor.fc.bias']
    source['detector.mask_head.weight'] = torch.zeros(1)
    source['detector.roi_head.bbox_head.fc_cls.bias'] = torch.zeros(81)
    content = dict(state_dict=source, optimizer=dict(), message_hub=dict())
    status, written = convert(tmp_path / 'a.pth', content, '--config', config)
    assert status == 1
    *lines, summary, _ = capsys.readouterr().out.splitlines()
    assert set(lines) == {
        'dropped      detector.mask_head.weight',
        'dropped      optimizer',
        'dropped      message_hub',
        'missing      prompt_predictor.fc.bias',
        'wrong shape  detector.roi_head.bbox_head.fc_cls.bias: (81,) in the source, '
        '(31,) in the model',
    }
    assert summary == (
        f'{len(weights) - 2} weights kept, 0 of them renamed; 3 dropped, 1 missing, 1 '
        'of the wrong shape.'
    )
    assert set(weights) - set(written['state_dict']) == {
        'prompt_predictor.fc.bias',
        'detector.roi_head.bbox_head.fc_cls.bias',
    }


def test_another_backbone(tmp_path: Path, weights: State, config: Path) -> None:
    """One that is too narrow is no mere backbone-only source."""
    backbone = part(weights, 'detector.backbone.')
    backbone['stages.0.blocks.0.norm1.weight'] = torch.zeros(8)
    status, _ = convert(tmp_path / 'a.pth', backbone, '--config', config)
    assert status == 1
    del backbone['stages.0.blocks.0.norm1.weight']
    status, _ = convert(tmp_path / 'a.pth', backbone, '--config', config)
    assert status == 1


def test_nothing_to_convert(tmp_path: Path, config: Path, capsys) -> None:
    resnet = {'conv1.weight': torch.zeros(1)}
    status, written = convert(tmp_path / 'a.pth', resnet, '--config', config)
    assert status == 2 and written is None
    assert 'a.pth has no weight that can be used' in capsys.readouterr().err


def test_without_config(tmp_path: Path, weights: State, capsys) -> None:
    status, written = convert(tmp_path / 'a.pth', part(weights, 'detector.'))
    assert status == 0
    assert 'Not compared with any model' in capsys.readouterr().out
    wanted = {k: v for k, v in weights.items() if k.startswith('detector.')}
    assert_same(written['state_dict'], without_indices(wanted))
    assert written['meta']['dataset_meta']['CLASSES'] == VID


@pytest.mark.slow
def test_classes_of_the_source(tmp_path: Path) -> None:
    cfg = tiny_config(num_classes=2)
    cfg.dump(str(tmp_path / 'config.py'))
    weights = build_model(cfg).state_dict()
    options = ('--config', tmp_path / 'config.py')
    for meta in (
        dict(CLASSES=('cat', 'dog')),
        dict(dataset_meta=dict(CLASSES=['cat', 'dog'])),
        dict(dataset_meta=dict(classes=['cat', 'dog'])),
    ):
        content = dict(state_dict=weights, meta=meta)
        _, written = convert(tmp_path / 'a.pth', content, *options)
        assert written['meta']['dataset_meta']['CLASSES'] == ('cat', 'dog')
    _, written = convert(tmp_path / 'a.pth', weights, *options)
    assert 'dataset_meta' not in written['meta']


def test_float32(tmp_path: Path, model: torch.nn.Module, config: Path) -> None:
    half = {
        k: v.half() if v.is_floating_point() else v
        for k, v in model.state_dict().items()
    }
    _, written = convert(tmp_path / 'a.pth', half, '--config', config)
    assert_same(
        written['state_dict'],
        {k: v.float() if v.is_floating_point() else v for k, v in half.items()},
    )


def test_another_window_size(model: torch.nn.Module, weights: State) -> None:
    name = 'detector.backbone.stages.0.blocks.0.attn.w_msa.relative_position_bias_table'
    source = {**weights, name: torch.ones(23 * 23, 2)}
    conversion = convert_weights(source, model)
    assert conversion.complete
    assert torch.allclose(conversion.weights[name], torch.ones(13 * 13, 2))


@pytest.mark.parametrize(
    'released, config',
    [
        ('fasterrcnn_swint_att', 'stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e'),
        ('fasterrcnn_swint_avg', 'stpn/stpn_faster-rcnn_swin-t_fpn_avg_8xb1-9e'),
        ('fasterrcnn_swinb_att', 'stpn/stpn_faster-rcnn_swin-b_fpn_8xb1-9e'),
        ('selsa_swint_att', 'stpn_selsa/stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e'),
    ],
)
def test_released_names(released: str, config: str) -> None:
    cfg = Config.fromfile(f'{ROOT}/configs/vid/{config}_imagenetvid.py')
    names = RELEASED[f'dvp_{released}_9x_cocopretrains']
    source = {name: torch.zeros(1).expand(shape) for name, shape in names}
    conversion = convert_weights(source, build_model(cfg))
    assert conversion.complete
    assert not conversion.renamed and not conversion.dropped
    assert set(conversion.weights) == set(source)


@pytest.mark.parametrize('prefix', ['backbone.', 'detector.backbone.'])
@pytest.mark.parametrize(
    'case, predictor, prompts',
    [
        ('static_prompt_shallow', dict(type='LearnedPrompts', prompt_dims=24), 1),
        (
            'static_prompt_deep',
            dict(type='LearnedPrompts', prompt_dims=24, deep_depths=(2, 2, 2, 2)),
            5,
        ),
        (
            'deep_backbone',
            dict(
                type='DeepPromptPredictor',
                predictor=dict(type='AveragePromptPredictor'),
                channels=[24, 48, 96, 192],
                blocks=[(2, 1), (3, 0), (3, 1)],
            ),
            4,
        ),
    ],
)
def test_prompts_in_the_backbone(
    case: str, predictor: dict, prompts: int, prefix: str
) -> None:
    """The authors keep learned and deep prompts in the backbone."""
    golden = load_golden(case)
    renamed = dict(rename(with_prefix(golden.weights, prefix)).values())
    source = MODELS.build(predictor)
    wanted = part(renamed, 'prompt_predictor.')
    assert len(wanted) == prompts
    source.load_state_dict(wanted)
    backbone = part(renamed, 'detector.backbone.')
    assert len(backbone) == len(golden.weights) - prompts
    assert not any('predictor' in k or 'prompt' in k for k in backbone)


@pytest.mark.parametrize('prompts', ['shallow', 'deep'])
def test_learned_prompts(prompts: str) -> None:
    depths = (1, 2, 1, 1) if prompts == 'deep' else ()
    model = build_model(
        tiny_config(type='LearnedPrompts', prompt_dims=16, deep_depths=depths)
    )
    weights = model.state_dict()
    source = part(weights, 'detector.')
    source.update(with_prefix(part(weights, 'prompt_predictor.'), 'backbone.'))
    conversion = convert_weights(source, model)
    assert conversion.complete and not conversion.dropped
    assert_same(conversion.weights, weights)


@pytest.mark.filterwarnings('ignore::FutureWarning', 'ignore::UserWarning')
def test_timm_itself() -> None:
    """The converted backbone computes what timm's computes."""
    swin_transformer = pytest.importorskip('timm.models.swin_transformer')
    args = dict(depths=(2, 2, 2, 1), num_heads=(2, 2, 4, 8), window_size=2)
    torch.manual_seed(0)
    theirs = swin_transformer.SwinTransformer(img_size=64, embed_dim=16, **args).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    cfg = tiny_config()
    cfg.model.detector.backbone.update(**args, mlp_ratio=4, drop_path_rate=0.0)
    model = build_model(cfg).eval()
    source = theirs.state_dict()
    conversion = convert_weights(source, model)
    assert conversion.complete and conversion.backbone_only
    backbone = model.detector.backbone
    backbone.load_state_dict(
        part(conversion.weights, 'detector.backbone.'), strict=False
    )
    backbone.norm3.load_state_dict(part(source, 'norm.'))
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        wanted = theirs.forward_features(image).flatten(1, -2)
        features = backbone(image)[-1].flatten(2).transpose(1, 2)
    torch.testing.assert_close(features, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    'base',
    [
        'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
        'retinanet/retinanet_r50_fpn_1x_coco.py',
        'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    ],
)
def test_classes_of_other_detectors(tmp_path: Path, base: str) -> None:
    cfg = tiny_config()
    cfg.model.detector = tiny_models.detector(base)
    cfg.dump(str(tmp_path / 'config.py'))
    names = ['a', 'b', 'c']
    assert len(names) == tiny_models.NUM_CLASSES
    content = dict(state_dict=build_model(cfg).state_dict(), meta=dict(CLASSES=names))
    options = ('--config', tmp_path / 'config.py')
    status, written = convert(tmp_path / 'a.pth', content, *options)
    assert status == 0
    assert written['meta']['dataset_meta']['CLASSES'] == tuple(names)
