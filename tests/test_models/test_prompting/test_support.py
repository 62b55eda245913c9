"""Support policies and memory: which frames support a video under test, and when."""

from __future__ import annotations

import weakref

import pytest
import torch
from mmtrack.registry import MODELS, TASK_UTILS

from stpn_plugin.models.prompting import GivenSupport, PastSupport, SupportMemory
from tests.support import tiny_models

VIDEO = torch.randn(12, 3, 64, 96, generator=torch.Generator().manual_seed(0))
MODEL = dict(
    type='STPN',
    detector=tiny_models.detector('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
    prompt_predictor=tiny_models.predictor(),
)


def build(**support) -> torch.nn.Module:
    torch.manual_seed(0)
    return MODELS.build(dict(MODEL, support=support or None)).eval()


class Counter:
    """Counts the frames that pass the backbone without prompts."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.count = 0
        model.detector.backbone.register_forward_pre_hook(self, with_kwargs=True)

    def __call__(self, module, args, kwargs) -> None:
        if kwargs.get('prompts') is None:
            self.count += len(args[0])


def run(model, frame_id: int, refs: list[int] = (), with_ids: bool = True):
    """Test one frame; returns the prompts used."""
    inputs = dict(img=VIDEO[frame_id][None, None])
    (sample,) = tiny_models.samples(frame_id=frame_id, video_length=len(VIDEO))
    if refs:
        inputs['ref_img'] = VIDEO[list(refs)][None]
        if with_ids:
            ids = list(refs) if len(refs) > 1 else refs[0]
            sample.set_metainfo(dict(ref_frame_id=ids))
    with torch.no_grad():
        memory = model.follow(inputs, sample)
    return memory.prompts


def expected(model, frames: list[int]) -> torch.Tensor:
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
    model = build(type='PastSupport', num_frames=3, interval=2)
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
            TASK_UTILS.build(dict(type='PastSupport', **bad))


def test_frame_zero_starts_anew() -> None:
    model = build(type='PastSupport', num_frames=3, interval=1)
    for frame_id in range(3):
        run(model, frame_id)
    torch.testing.assert_close(run(model, 0), expected(model, [0]))


def test_memory_is_bounded() -> None:
    memory = SupportMemory(PastSupport(num_frames=4))
    alive: list[weakref.ref] = []
    for frame_id in range(100):
        feats = torch.zeros(1, 8, 2, 3)
        alive.append(weakref.ref(feats))
        memory.add([frame_id], lambda picks, feats=feats: feats)
        memory = memory.copy()
    del feats
    assert len(memory) == 4
    assert sum(ref() is not None for ref in alive) <= 4
    assert memory.features.shape == (1, 4, 8, 2, 3)


def test_a_copy_goes_its_own_way() -> None:
    memory = SupportMemory(PastSupport(num_frames=2))
    memory.add([0, 1], lambda picks: torch.tensor([[0.0], [1.0]]))
    other = memory.copy()
    other.add([2], lambda picks: torch.tensor([[2.0]]))
    assert memory.features.tolist() == [[[0.0], [1.0]]]
    assert other.features.tolist() == [[[1.0], [2.0]]]


def test_memory_takes_mappings() -> None:
    memory = SupportMemory(GivenSupport())
    memory.add(
        [0, 1], lambda picks: {(0, 0): torch.tensor(picks), (1, 0): torch.ones(2, 3)}
    )
    assert memory.features[0, 0].tolist() == [[0, 1]]
    assert memory.features[1, 0].shape == (1, 2, 3)


def test_a_video_ends_with_its_run() -> None:
    """What an unfinished video left must not serve a later one of the same id."""
    model = build()
    run(model, 0, [0, 4])
    model.train()
    model.eval()
    with pytest.raises(RuntimeError, match='frame 1 of video 1 arrived before frame 0'):
        run(model, 1)


def test_frames_come_in_order() -> None:
    model = build()
    run(model, 0, [0, 4])
    run(model, 1)
    run(model, 5)  # every n-th frame of a video may be tested
    for earlier in (5, 2):
        with pytest.raises(RuntimeError, match=f'frame {earlier} .* after frame 5'):
            run(model, earlier)


@pytest.mark.parametrize('frame_id', [-1, '0', 1.0, None])
def test_frame_ids_are_whole_numbers(frame_id) -> None:
    model = build(type='PastSupport')
    inputs = dict(img=VIDEO[:1][None])
    (sample,) = tiny_models.samples()
    sample.set_metainfo(dict(frame_id=frame_id, img_path='a/000000.jpg'))
    with pytest.raises(ValueError, match=r'a/000000.jpg.*numbered 0, 1, 2'):
        model.predict(inputs, [sample])


def test_support_frames_pass_the_backbone_in_chunks() -> None:
    model = build()
    whole = expected(model, list(range(10)))
    sizes: list[int] = []
    model.detector.backbone.register_forward_pre_hook(
        lambda module, args: sizes.append(len(args[0]))
    )
    model.support_chunk_size = 4
    torch.testing.assert_close(expected(model, list(range(10))), whole)
    assert sizes == [4, 4, 2]
    with pytest.raises(ValueError, match='support_chunk_size must be >= 1'):
        MODELS.build(dict(MODEL, support_chunk_size=0))


def test_the_former_name_of_a_policy() -> None:
    former = dict(references=dict(type='PastReferences', num_frames=3, interval=2))
    with pytest.warns(DeprecationWarning, match='now called "support"'):
        model = MODELS.build(dict(MODEL, test_cfg=former))
    assert isinstance(model.support_policy, PastSupport)
    assert (model.support_policy.size, model.support_policy.interval) == (3, 2)
