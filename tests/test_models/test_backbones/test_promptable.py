"""What every promptable backbone must do: one list, run over all of them."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
from typing import Any, Callable, NamedTuple

import pytest
import torch
from mmdet.models.backbones.pvt import PyramidVisionTransformerV2
from mmdet.models.backbones.resnet import ResNet
from mmdet.models.backbones.swin import SwinTransformer
from mmtrack.registry import MODELS
from torch import Tensor, nn

from stpn_plugin.models import backbones
from stpn_plugin.models.backbones import (
    STPNPyramidVisionTransformerV2,
    STPNSwinTransformer,
    require_blocks,
    require_promptable,
)
from stpn_plugin.models.backbones.prompted_backbone import PromptedBackbone


class Case(NamedTuple):
    """A backbone, mmdet's of the same weights, and what they are built with."""

    prompted: Callable
    stock: Callable
    args: dict[str, Any]
    channels: list
    num_blocks: list


CASES = {
    'swin': Case(
        STPNSwinTransformer,
        SwinTransformer,
        dict(embed_dims=24, depths=(2, 2, 2, 1), num_heads=(2, 4, 8, 16)),
        [24, 48, 96, 192],
        [2, 2, 2, 1],
    ),
    'pvt': Case(
        STPNPyramidVisionTransformerV2,
        PyramidVisionTransformerV2,
        dict(embed_dims=8, num_layers=[2, 1, 2, 1], mlp_ratios=[2, 2, 2, 2]),
        [8, 16, 40, 64],
        [2, 1, 2, 1],
    ),
}
SIZE = (93, 130)  # fills no window
NEW_TORCH = tuple(map(int, torch.__version__.split('.')[:2])) >= (2, 1)
# Before torch 2.1 the CPU could not multiply matrices of float16.
CPU_TYPES = [torch.bfloat16, torch.float16] if NEW_TORCH else [torch.bfloat16]


def build(case: Case, **kwargs: Any) -> Any:
    torch.manual_seed(0)
    backbone = case.prompted(**{**case.args, 'drop_path_rate': 0.0, **kwargs})
    for parameter in backbone.parameters():  # biases too must matter
        nn.init.normal_(parameter, std=0.2)
    torch.manual_seed(1)
    return backbone.eval()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def assert_same(outs: Any, expected: Any, tolerance: float = 1e-4) -> None:
    assert len(outs) == len(expected)
    for out, other in zip(outs, expected):
        torch.testing.assert_close(out, other, rtol=tolerance, atol=tolerance)


def subclasses(cls: type) -> set[type]:
    """The public ones of this package, with theirs."""
    found: set[type] = set()
    for child in cls.__subclasses__():
        if child.__module__.startswith('stpn_plugin.') and child.__name__[0] != '_':
            found.add(child)
        found |= subclasses(child)
    return found


def test_no_backbone_is_left_out() -> None:
    for module in pkgutil.iter_modules(backbones.__path__, f'{backbones.__name__}.'):
        importlib.import_module(module.name)
    assert subclasses(PromptedBackbone) == {case.prompted for case in CASES.values()}


def test_offers_the_contract(case: Case) -> None:
    backbone = build(case)
    require_promptable(backbone)
    require_blocks(backbone, {(1, 0): case.channels[1], (2, 1): case.channels[2]})
    assert list(backbone.feat_channels) == case.channels
    assert list(backbone.feat_strides) == [4, 8, 16, 32]
    assert list(backbone.num_blocks) == case.num_blocks
    with torch.no_grad():
        outs = backbone(torch.randn(1, 3, 64, 96))
    assert [tuple(out.shape) for out in outs] == [
        (1, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(case.channels, backbone.feat_strides)
    ]


@pytest.mark.parametrize('size', [(64, 96), SIZE, (37, 71)])
def test_without_prompts_it_is_stock(case: Case, size: tuple) -> None:
    stock = case.stock(**case.args, drop_path_rate=0.0)
    img = torch.randn(2, 3, *size)
    for fused in (True, False):
        backbone = build(case, fused_attention=fused)
        assert list(backbone.state_dict()) == list(stock.state_dict())
        stock.load_state_dict(backbone.state_dict())
        stock.train(False)
        with torch.no_grad():
            outs, expected = backbone(img), stock(img)
        assert_same(outs, expected)
        assert fused or all(torch.equal(a, b) for a, b in zip(outs, expected))


def test_fused_attention_changes_rounding_only(case: Case) -> None:
    img, prompts = torch.randn(2, 3, *SIZE), torch.randn(2, 5, case.channels[0])
    with torch.no_grad():
        outs = build(case)(img, prompts)
        expected = build(case, fused_attention=False)(img, prompts)
    assert_same(outs, expected)


def test_fused_attention_has_the_same_gradients(case: Case) -> None:
    img, prompts = torch.randn(2, 3, *SIZE), torch.randn(2, 5, case.channels[0])
    grads = []
    for fused in (True, False):
        backbone = build(case, fused_attention=fused).train()
        prompts = prompts.detach().requires_grad_()
        sum(out.square().mean() for out in backbone(img, prompts)).backward()
        grads.append([prompts.grad, *(p.grad for p in backbone.parameters())])
    for a, b in zip(*grads):
        assert (a - b).abs().max() <= 1e-3 * b.abs().max() + 1e-6


@pytest.mark.parametrize('large', [False, True])
@pytest.mark.parametrize('drop_path_rate', [0.0, 0.5])
def test_inference_is_as_with_gradients(
    case: Case, drop_path_rate: float, large: bool, request: pytest.FixtureRequest
) -> None:
    """It works in other ways, and in pieces; the same paths are dropped."""
    if large:
        request.getfixturevalue('small_pieces')
    backbone = build(case, drop_path_rate=drop_path_rate)
    backbone.train(drop_path_rate > 0)
    img, prompts = torch.randn(2, 3, 130, 171), torch.randn(5, case.channels[0])
    torch.manual_seed(3)
    expected = [out.detach() for out in backbone(img, prompts)]
    torch.manual_seed(3)
    with torch.no_grad():
        assert_same(backbone(img, prompts), expected)


def test_prompts_of_the_batch_or_of_each_image(case: Case) -> None:
    backbone = build(case)
    img, prompts = torch.randn(2, 3, 64, 96), torch.randn(5, case.channels[0])
    with torch.no_grad():
        plain = backbone(img)
        shared = backbone(img, prompts)
        assert_same(backbone(img, prompts.expand(2, -1, -1)), shared)
    for a, b in zip(plain, shared):
        assert a.shape == b.shape
        assert not torch.allclose(a, b, atol=1e-3)


@pytest.mark.parametrize('fused', [True, False])
def test_images_do_not_influence_each_other(case: Case, fused: bool) -> None:
    backbone = build(case, fused_attention=fused)
    img, prompts = torch.randn(3, 3, *SIZE), torch.randn(3, 5, case.channels[0])
    with torch.no_grad():
        together = backbone(img, prompts)
        for i in range(3):
            alone = backbone(img[i : i + 1], prompts[i])
            assert_same([out[i : i + 1] for out in together], alone)
    img.requires_grad_()
    backbone(img, prompts)[-1][0].sum().backward()
    assert img.grad[0].abs().sum() > 0
    assert img.grad[1:].abs().sum() == 0


def test_block_inputs_are_what_enters_the_blocks(case: Case) -> None:
    backbone = build(case)
    img = torch.randn(2, 3, *SIZE)
    blocks = [(2, 1), (0, 0), (1, 0)]
    entered = {}
    for i, j in blocks:

        def keep(module: nn.Module, args: tuple, place: tuple = (i, j)) -> None:
            entered[place] = args[0].transpose(1, 2).unflatten(2, args[1])

        backbone.stage_blocks(i)[j].register_forward_pre_hook(keep)
    with torch.no_grad():
        backbone(img)
        expected = dict(entered)
        inputs = backbone.block_inputs(img, blocks)
    assert list(inputs) == blocks
    for place, value in inputs.items():
        assert value.shape[:2] == (2, case.channels[place[0]])
        assert torch.equal(value, expected[place])


def test_block_prompts_enter_before_and_leave_after_their_block(case: Case) -> None:
    backbone = build(case)
    img = torch.randn(2, 3, 64, 96)
    prompts = {
        (1, 0): torch.randn(2, 4, case.channels[1]),
        (3, 0): torch.randn(3, case.channels[3]),
    }
    with torch.no_grad():
        plain, outs = backbone(img), backbone(img, prompts)
        last = backbone(img, {(3, 0): prompts[3, 0]})
    assert torch.equal(plain[0], outs[0])
    assert not torch.allclose(plain[1], outs[1], atol=1e-3)
    assert not torch.allclose(plain[3], outs[3], atol=1e-3)
    assert all(a.shape == b.shape for a, b in zip(plain, outs))
    assert torch.equal(last[2], plain[2])
    assert not torch.equal(last[3], plain[3])


def test_patch_attention(case: Case) -> None:
    backbone = build(case)
    img, prompts = torch.randn(2, 3, *SIZE), torch.randn(5, case.channels[0])
    with torch.no_grad():
        outs = backbone(img)
        attention = backbone.patch_attention(img, prompts)
        deep = backbone.patch_attention(img, {(2, 0): torch.randn(3, case.channels[2])})
    places = [(i, j) for i, n in enumerate(case.num_blocks) for j in range(n)]
    assert list(attention) == places and list(deep) == [(2, 0)]
    for (i, _), (weights, uniform) in attention.items():
        assert weights.shape == (2, 5, *outs[i].shape[2:])
        assert weights.min() >= 0 and weights.sum(dim=1).max() <= 1
        assert 0 < uniform < 1
    assert deep[2, 0].weights.shape[1] == 3


@pytest.mark.parametrize(
    'make, error, message',
    [
        (lambda c: [[0.0] * c[0]], TypeError, 'must be a Tensor'),
        (lambda c: torch.zeros(c[0]), ValueError, 'shape'),
        (lambda c: torch.zeros(1, 1, 5, c[0]), ValueError, 'shape'),
        (lambda c: torch.zeros(5, c[1]), ValueError, 'channels'),
        (lambda c: torch.zeros(3, 5, c[0]), ValueError, 'for 3 images'),
        (lambda c: torch.zeros(5, c[0], device='meta'), ValueError, 'on meta'),
        (lambda c: {(0, 2): torch.zeros(5, c[0])}, ValueError, r'blocks \[\(0, 2\)\]'),
        (lambda c: {(1, 0): torch.zeros(5, c[0])}, ValueError, 'channels'),
    ],
)
def test_bad_prompts(case: Case, make: Callable, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        build(case)(torch.randn(2, 3, 64, 64), make(case.channels))


def test_unknown_blocks_are_refused(case: Case) -> None:
    backbone = build(case)
    with pytest.raises(ValueError, match=r'\[\(4, 0\)\].*are \[\(0, 0\)'):
        backbone.block_inputs(torch.randn(1, 3, 64, 64), [(4, 0)])
    with pytest.raises(ValueError, match=r'\[\(1, 7\)\]'):
        require_blocks(backbone, {(1, 7): case.channels[1]})
    with pytest.raises(ValueError, match=f'stage 1 of .* has {case.channels[1]}'):
        require_blocks(backbone, {(1, 0): 7})


def deep_predictor(channels: list) -> nn.Module:
    return MODELS.build(
        dict(
            type='DeepPromptPredictor',
            predictor=dict(type='AveragePromptPredictor', num_prompts=3),
            channels=channels,
            blocks=[(0, 1), (2, 0)],
        )
    )


@pytest.mark.slow
def test_compiled_backbone_keeps_support_features(case: Case) -> None:
    backbone = build(case)
    source = deep_predictor(case.channels)
    img = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        expected = source.support_features(backbone, img)
        whole = torch.compile(backbone, backend='eager')
        whole(img)
        found = source.support_features(whole, img)
        compiled = torch.compile(
            source.support_features, backend='eager', fullgraph=True
        )(backbone, img)
    assert list(found) == list(compiled) == list(expected) == [(0, 1), (2, 0)]
    for place, value in expected.items():
        assert torch.equal(found[place], value)
        assert torch.equal(compiled[place], value)


@pytest.mark.slow
def test_fake_tensors_leave_nothing_behind(case: Case) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    backbone = build(case)
    img, prompts = torch.randn(1, 3, *SIZE), torch.randn(5, case.channels[0])
    expected = copy.deepcopy(backbone)(img, prompts)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        backbone(mode.from_tensor(img), mode.from_tensor(prompts))
    outs = backbone(img, prompts)
    assert all(type(out) is Tensor for out in outs)
    assert_same(outs, expected, 0)


@pytest.mark.slow
def test_exported_with_any_batch_and_size(case: Case) -> None:
    """The graph is for multiples of 32, to which mmdet's own padding binds it, and
    for more than one window in all stages: export tells one from many.
    """
    from torch.export import Dim, export

    backbone = build(case)
    img, prompts = torch.randn(2, 3, 256, 320), torch.randn(5, case.channels[0])
    with torch.no_grad():
        expected = backbone(img, prompts)
        fixed = export(backbone, (img, prompts))
        assert_same(fixed.module()(img, prompts), expected)
        shapes = ({0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}, None)
        dynamic = export(backbone, (img, prompts), dynamic_shapes=shapes).module()
        for shape in ((2, 256, 320), (3, 320, 256), (4, 448, 480)):
            other = torch.randn(shape[0], 3, *shape[1:])
            assert_same(dynamic(other, prompts), backbone(other, prompts))
        assert_same(backbone(img, prompts), expected, 0)


@pytest.mark.parametrize('dtype', CPU_TYPES, ids=str)
def test_lower_precision(case: Case, dtype: torch.dtype) -> None:
    backbone = build(case)
    img, prompts = torch.randn(1, 3, *SIZE), torch.randn(5, case.channels[0])
    with torch.no_grad():
        expected = backbone(img, prompts)
        for fused in (True, False):
            low = build(case, fused_attention=fused).to(dtype)
            for out, full in zip(low(img.to(dtype), prompts.to(dtype)), expected):
                assert out.dtype is dtype
                assert (out - full).abs().mean() < 0.05 * full.abs().mean()


@pytest.mark.parametrize('fused', [True, False])
def test_autocast(case: Case, fused: bool) -> None:
    backbone = build(case, fused_attention=fused).train()
    img = torch.randn(1, 3, 64, 64)
    prompts = torch.randn(5, case.channels[0], requires_grad=True)
    full = backbone(img, prompts)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        outs = backbone(img, prompts)
        sum(out.float().mean() for out in outs).backward()
        with torch.no_grad():
            backbone.eval()(img, prompts)
    assert torch.isfinite(prompts.grad).all()
    for a, b in zip(outs, full):
        assert (a - b).abs().mean() < 0.05 * b.abs().mean()


def test_copies_work_and_are_their_own(case: Case) -> None:
    backbone = build(case)
    img, prompts = torch.randn(1, 3, *SIZE), torch.randn(5, case.channels[0])
    with torch.no_grad():
        expected = backbone(img, prompts)
        for other in (copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
            assert_same(other(img, prompts), expected, 0)
            for parameter in other.parameters():
                parameter.zero_()
        assert_same(backbone(img, prompts), expected, 0)


def test_weights_that_change_in_any_way_are_seen(case: Case) -> None:
    """What inference may remember must not outlive the weights it is made from."""
    backbone, fresh = build(case), build(case)
    img = torch.randn(1, 3, *SIZE)
    with torch.no_grad():
        backbone(img)
        for ours, theirs in zip(backbone.parameters(), fresh.parameters()):
            ours.data.copy_(0.5 * ours.data)  # as mmengine swaps averaged weights
            theirs.mul_(0.5)
        assert_same(backbone(img), fresh(img), 0)


def test_inference_mode_does_not_spoil_training(case: Case) -> None:
    backbone = build(case)
    img = torch.randn(1, 3, *SIZE)
    with torch.inference_mode():
        backbone(img)
    sum(out.sum() for out in backbone.train()(img)).backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


def test_stays_as_large_as_it_is_built(case: Case) -> None:
    """Images of many sizes leave no tensors in the module, nor in its copies."""
    backbone = build(case)
    before = len(pickle.dumps(backbone))
    with torch.no_grad():
        for height in range(64, 200, 16):
            backbone(torch.randn(1, 3, height, 96))
    assert len(pickle.dumps(backbone)) == before


class Plain(nn.Module):
    """Takes prompts, and offers no access to blocks."""

    out_indices = (0,)
    feat_channels = (8,)
    feat_strides = (4,)

    def forward(self, x: Tensor, prompts: Any = None) -> tuple:
        return (x,)


def test_what_cannot_be_prompted_is_refused() -> None:
    with pytest.raises(TypeError, match='ResNet cannot be prompted.*"prompts"'):
        require_promptable(ResNet(18))
    require_promptable(Plain())
    with pytest.raises(TypeError, match='blocks.*Plain lacks.*block_inputs'):
        require_blocks(Plain(), {(0, 0): 8})
