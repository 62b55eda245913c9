"""Reference policies: which frames support a video under test, and when."""

from __future__ import annotations

from typing import List

import pytest
import torch
from mmtrack.registry import MODELS, TASK_UTILS

from stpn_plugin.models.vid import SupportMemory
from tests import tiny_models

VIDEO = torch.randn(12, 3, 64, 96, generator=torch.Generator().manual_seed(0))
MODEL = dict(
    type='STPN',
    detector=tiny_models.detector('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
    prompt_predictor=tiny_models.predictor(),
)


def build(**references) -> torch.nn.Module:
    torch.manual_seed(0)
    test_cfg = dict(references=references) if references else None
    return MODELS.build(dict(MODEL, test_cfg=test_cfg)).eval()


class Counter:
    """Counts the frames that pass the backbone without prompts."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.count = 0
        model.detector.backbone.register_forward_pre_hook(self, with_kwargs=True)

    def __call__(self, module, args, kwargs) -> None:
        if kwargs.get('prompts') is None:
            self.count += len(args[0])


def run(model, frame_id: int, refs: List[int] = (), with_ids: bool = True):
    """Test one frame; returns the prompts used."""
    inputs = dict(img=VIDEO[frame_id][None, None])
    (sample,) = tiny_models.samples(frame_id=frame_id, video_length=len(VIDEO))
    if refs:
        inputs['ref_img'] = VIDEO[list(refs)][None]
        if with_ids:
            ids = list(refs) if len(refs) > 1 else refs[0]
            sample.set_metainfo(dict(ref_frame_id=ids))
    with torch.no_grad():
        memory = model.remember(inputs, [sample])
    return memory.prompts


def expected(model, frames: List[int]) -> torch.Tensor:
    with torch.no_grad():
        feats = model.support_features(VIDEO[frames][None])
        return model.prompt_predictor(feats)


def test_adaptive_stride_keeps_the_first_prompts() -> None:
    model = build()
    refs = [0, 4, 8, 11]
    first = run(model, 0, refs)
    torch.testing.assert_close(first, expected(model, refs))
    assert run(model, 5) is first


def test_fixed_stride_slides_the_window() -> None:
    """Two frames to the left and two to the right, stride 2, as mmtrack samples."""
    model = build()
    counter = Counter(model)
    window = [0, 0, 0, 2, 4]
    torch.testing.assert_close(run(model, 0, window), expected(model, window))
    for frame_id in range(1, 12):
        if frame_id % 2 == 0:
            new = min(frame_id + 4, 11)
            window = [*window[1:], new]
            before = counter.count
            prompts = run(model, frame_id, [new])
            assert counter.count - before == (0 if window.count(new) > 1 else 1)
        else:
            prompts = run(model, frame_id)
        if frame_id < 11:  # the memory is dropped after the last frame
            assert len(model.memory) == 5
        torch.testing.assert_close(prompts, expected(model, window))


def test_equal_frames_are_extracted_once() -> None:
    model = build()
    counter = Counter(model)
    prompts = run(model, 0, [3, 3, 1, 3])
    assert counter.count == 2
    torch.testing.assert_close(prompts, expected(model, [3, 3, 1, 3]))
    counter.count = 0
    run(model, 0, [3, 3, 1, 3], with_ids=False)
    assert counter.count == 4


def test_online_uses_past_frames_only() -> None:
    model = build(type='PastReferences', num_frames=3, interval=2)
    counter = Counter(model)
    for frame_id in range(12):
        prompts = run(model, frame_id)
        seen = [i for i in range(frame_id + 1) if i % 2 == 0][-3:]
        assert counter.count == frame_id // 2 + 1
        counter_before = counter.count
        torch.testing.assert_close(prompts, expected(model, seen))
        counter.count = counter_before
        if frame_id < 11:
            assert len(model.memory) == len(seen) <= 3


def test_online_needs_positive_numbers() -> None:
    for bad in (dict(num_frames=0), dict(interval=0)):
        with pytest.raises(ValueError, match='>= 1'):
            TASK_UTILS.build(dict(type='PastReferences', **bad))


def test_frame_zero_starts_anew() -> None:
    model = build(type='PastReferences', num_frames=3, interval=1)
    for frame_id in range(3):
        run(model, frame_id)
    torch.testing.assert_close(run(model, 0), expected(model, [0]))


def test_memory_is_bounded() -> None:
    memory = SupportMemory(video_id=1, size=4)
    for frame_id in range(100):
        memory.add([frame_id], lambda picks: torch.zeros(len(picks), 8, 2, 3))
    assert len(memory) == len(memory._feats) == 4
    assert memory.features.shape == (1, 4, 8, 2, 3)


def test_memory_takes_mappings() -> None:
    memory = SupportMemory(video_id=1)
    memory.add(
        [0, 1], lambda picks: {(0, 0): torch.tensor(picks), (1, 0): torch.ones(2, 3)}
    )
    assert memory.features[0, 0].tolist() == [[0, 1]]
    assert memory.features[1, 0].shape == (1, 2, 3)
