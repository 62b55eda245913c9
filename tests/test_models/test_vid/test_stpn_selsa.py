from __future__ import annotations

import pytest
import torch
from mmtrack.registry import MODELS

from tests.support import tiny_models


def build(**kwargs) -> torch.nn.Module:
    torch.manual_seed(0)
    cfg = dict(
        type='STPNSelsa',
        detector=tiny_models.selsa_detector(),
        prompt_predictor=tiny_models.predictor(),
    )
    return MODELS.build({**cfg, **kwargs})


def samples(num_refs: int, **kwargs):
    return tiny_models.samples(num_refs=num_refs, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize('extra_frames', [True, False])
@pytest.mark.parametrize('roi_align', ['SingleRoIExtractor', 'TemporalRoIAlign'])
def test_trains_and_detects(extra_frames: bool, roi_align: str) -> None:
    cfg = tiny_models.selsa_detector()
    if roi_align == 'TemporalRoIAlign':
        cfg.roi_head.bbox_roi_extractor.update(
            type='mmtrack.TemporalRoIAlign',
            num_most_similar_points=2,
            num_temporal_attention_blocks=4,
        )
    model = build(extra_frames=extra_frames, detector=cfg)
    inputs = tiny_models.inputs(num_refs=4)
    inputs['ref_img'].requires_grad_()
    total, _ = model.parse_losses(model.loss(inputs, samples(4)))
    total.backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused
    reached = inputs['ref_img'].grad[0].abs().sum(dim=(1, 2, 3)) > 0
    # Frames that only make prompts carry no gradient, reference frames do.
    assert reached.tolist() == [not extra_frames, not extra_frames, True, True]

    model.eval()
    with torch.no_grad():
        model.predict(tiny_models.inputs(num_refs=4), samples(4))
        refs = 2 if extra_frames else 4
        assert [len(level) for level in model.memory.ref_x] == [refs] * 5
        later = tiny_models.samples(frame_id=1)
        (result,) = model.predict(tiny_models.inputs(num_refs=None), later)
    assert len(result.pred_det_instances) > 0


def test_learned_prompts() -> None:
    """All support frames are references, prompted as the key frame is."""
    model = build(prompt_predictor=dict(type='LearnedPrompts'))
    inputs = tiny_models.inputs(num_refs=3)
    inputs['ref_img'].requires_grad_()
    total, _ = model.parse_losses(model.loss(inputs, samples(3)))
    total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert inputs['ref_img'].grad.abs().sum(dim=(0, 2, 3, 4)).all()

    model.eval()
    with torch.no_grad():
        results = []
        for scale in (1, -1):
            model.prompt_predictor.prompt_embeddings *= scale
            model.memory = None
            model.predict(tiny_models.inputs(num_refs=3), samples(3))
            assert [len(level) for level in model.memory.ref_x] == [3] * 5
            later = tiny_models.samples(frame_id=1)
            (result,) = model.predict(tiny_models.inputs(num_refs=None), later)
            results.append((model.memory.ref_x[0], result.pred_det_instances.scores))
    for plain, other in zip(*results):
        assert plain.shape != other.shape or not torch.equal(plain, other)


def test_prompts_train_the_stage_that_they_are_made_from() -> None:
    """Where all support frames do both jobs, as in the authors' code."""
    model = build(extra_frames=False)

    def withhold(module, args):
        return (args[0].detach(),)

    gradients = []
    for detached in (False, True):
        model.zero_grad()
        torch.manual_seed(0)  # stochastic depth
        predictor = model.prompt_predictor
        handle = predictor.register_forward_pre_hook(withhold) if detached else None
        total, _ = model.parse_losses(
            model.loss(tiny_models.inputs(num_refs=4), samples(4))
        )
        total.backward()
        if handle is not None:
            handle.remove()
        weight = model.detector.backbone.stages[3].blocks[0].ffn.layers[1].weight
        gradients.append(weight.grad.clone())
    assert not torch.allclose(*gradients, rtol=1e-3, atol=0)


def test_references_of_a_video_are_extracted_once() -> None:
    model = build().eval()
    frames = []
    model.detector.backbone.register_forward_pre_hook(
        lambda module, args: frames.append(len(args[0]))
    )
    with torch.no_grad():
        model.predict(tiny_models.inputs(num_refs=6), samples(6))
        model.predict(
            tiny_models.inputs(num_refs=None), tiny_models.samples(frame_id=1)
        )
    assert frames == [3, 3, 1, 1]  # prompt frames, references, two key frames


def test_bad_use() -> None:
    with pytest.raises(TypeError, match='no RoI head'):
        build(detector=tiny_models.detector('retinanet/retinanet_r50_fpn_1x_coco.py'))
    with pytest.raises(TypeError, match='last backbone stage'):
        build(
            prompt_predictor=dict(
                type='DeepPromptPredictor',
                predictor=dict(type='AveragePromptPredictor'),
                channels=tiny_models.CHANNELS,
                blocks=[(1, 1)],
            )
        )
    with pytest.raises(TypeError, match='GivenSupport'):
        build(support=dict(type='PastSupport'))
    model = build()
    with pytest.raises(ValueError, match='one sample a GPU'):
        model.loss(tiny_models.inputs(2, num_refs=4), samples(4, batch_size=2))
    with pytest.raises(ValueError, match='two support frames or more'):
        model.loss(tiny_models.inputs(num_refs=1), samples(1))
    model.eval()
    with torch.no_grad():
        model.predict(tiny_models.inputs(num_refs=4), samples(4))
        with pytest.raises(ValueError, match='with frame 0'):
            model.predict(tiny_models.inputs(num_refs=2), samples(2, frame_id=1))
