from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmtrack.registry import MODELS

from tests.support import tiny_models

ROOT = Path(__file__).parents[2]
FASTER_RCNN = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
FCOS = 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py'


def build(
    base: str = FASTER_RCNN, frozen_stages: int = -1, **kwargs
) -> torch.nn.Module:
    torch.manual_seed(0)
    detector = tiny_models.detector(base)
    detector.backbone.frozen_stages = frozen_stages
    if base == FCOS:
        detector.bbox_head.norm_on_bbox = True  # by the stride, in eval mode undone
    return MODELS.build(
        dict(
            type='STPN',
            detector=detector,
            prompt_predictor=tiny_models.predictor(),
            **kwargs,
        )
    )


def trained(model: torch.nn.Module) -> set:
    return {name for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize('backbone', ['mmtrack.STPNSwinTransformer', 'SwinTransformer'])
def test_stages_are_frozen_before_training_starts(backbone: str) -> None:
    detector = tiny_models.detector(FASTER_RCNN)
    detector.backbone.update(type=backbone, frozen_stages=1)
    model = MODELS.build(dict(type='SingleFrameDetector', detector=detector))
    before = trained(model)
    assert 'detector.backbone.stages.0.blocks.0.attn.w_msa.qkv.weight' not in before
    assert 'detector.backbone.stages.1.blocks.0.attn.w_msa.qkv.weight' in before
    model.train()
    assert trained(model) == before


@pytest.mark.parametrize(
    'frozen', ['detector.backbone', ['detector', 'prompt_predictor']]
)
def test_frozen_modules_stay_in_eval_mode(frozen) -> None:
    model = build(frozen_modules=frozen)
    names = [frozen] if isinstance(frozen, str) else frozen
    for mode in (True, False, True):
        model.train(mode)
        for name, module in model.named_modules():
            inside = any(f'{name}.'.startswith(f'{part}.') for part in names)
            assert module.training == (mode and not inside), name
    for name, parameter in model.named_parameters():
        inside = any(name.startswith(f'{part}.') for part in names)
        assert parameter.requires_grad != inside, name
    with pytest.raises(AttributeError, match='no_such'):
        build(frozen_modules='no_such')


@pytest.mark.parametrize('base', [FASTER_RCNN, FCOS])
def test_a_frozen_detector_trains_prompts(base: str) -> None:
    """With the losses of a detector that is not frozen, but without its dropout."""
    torch.manual_seed(0)
    inputs = tiny_models.inputs(2)
    losses = []
    for frozen in (None, 'detector'):
        model = build(base, frozen_modules=frozen)
        if frozen is None:
            for module in model.modules():
                if type(module).__name__ in ('Dropout', 'DropPath'):
                    module.eval()
        else:
            model.train()
        torch.manual_seed(1)  # for the samplers of boxes
        samples = tiny_models.samples(batch_size=2)
        loss, _ = model.parse_losses(model.loss(inputs, samples))
        losses.append(loss)
    torch.testing.assert_close(*losses)  # kernels may differ without gradients
    losses[1].backward()
    assert model.prompt_predictor.query.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.detector.parameters())
    assert not any(module.training for module in model.detector.modules())


TRAIN = """
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmtrack.utils import register_all_modules
import stpn_plugin
from tests.support import tiny_models
from tests.test_models.test_freezing import build

register_all_modules(init_default_scope=True)
torch.set_num_threads(1)
dist.init_process_group('gloo')
model = build(frozen_stages={frozen_stages}, frozen_modules={frozen_modules!r})
model = MMDistributedDataParallel(
    model, broadcast_buffers=False, find_unused_parameters=False
)
trained = [p for p in model.parameters() if p.requires_grad]
optim = OptimWrapper(torch.optim.SGD(trained, lr=1e-3))
for i in range(3):
    model.train()
    data = tiny_models.inputs(seed=2 * i + dist.get_rank())
    losses = model(data, tiny_models.samples(), mode='loss')
    loss, _ = model.module.parse_losses(losses)
    optim.update_params(loss)
sums = torch.stack([p.detach().double().sum() for p in model.parameters()])
other = sums.clone()
dist.broadcast(other, 0)
assert torch.equal(sums, other), 'the processes have different weights'
print('iterations done')
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    'options',
    [
        dict(frozen_stages=1, frozen_modules=None),
        dict(frozen_stages=0, frozen_modules='detector.neck'),
        dict(frozen_stages=-1, frozen_modules='detector'),
    ],
)
def test_two_processes_train_around_frozen_parts(options: dict) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    processes = []
    for rank in ('0', '1'):
        environ = dict(
            os.environ,
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=port,
            WORLD_SIZE='2',
            RANK=rank,
            LOCAL_RANK=rank,
            PYTHONPATH=str(ROOT),
            CUDA_VISIBLE_DEVICES='',
        )
        processes.append(
            subprocess.Popen(
                [sys.executable, '-c', TRAIN.format(**options)],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding='utf-8',
            )
        )
    try:
        for process in processes:
            shown, _ = process.communicate(timeout=300)
            assert process.returncode == 0 and 'iterations done' in shown, shown[-3000:]
    finally:
        for process in processes:
            process.kill()
