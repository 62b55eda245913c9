from __future__ import annotations

import copy

import pytest
import torch
from mmtrack.registry import MODELS

from stpn_plugin.models.prompting import prompted
from tests.support import tiny_models

FASTER_RCNN = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
DETECTORS = [
    FASTER_RCNN,
    'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
    'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'retinanet/retinanet_r50_fpn_1x_coco.py',
    'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'atss/atss_r50_fpn_1x_coco.py',
    'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
]


def build(base: str = FASTER_RCNN, **kwargs) -> torch.nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='STPN',
            detector=tiny_models.detector(base),
            prompt_predictor=tiny_models.predictor(),
            **kwargs,
        )
    )
    model.init_weights()  # Deformable DETR leaves some parameters to this
    return model


def run_frame(model, frame_id, video_id=1, refs=None, seed=0, video_length=3):
    inputs = tiny_models.inputs(num_refs=refs, seed=seed)
    samples = tiny_models.samples(
        frame_id=frame_id, video_id=video_id, video_length=video_length
    )
    with torch.no_grad():
        return model.eval().predict(inputs, samples)[0].pred_det_instances


@pytest.mark.slow
@pytest.mark.parametrize('base', DETECTORS)
def test_any_detector_trains_and_detects(base: str) -> None:
    model = build(base)
    samples = tiny_models.samples(batch_size=2, with_mask='mask' in base)
    before = copy.deepcopy(samples)
    total, _ = model.parse_losses(model.loss(tiny_models.inputs(2), samples))
    total.backward()
    for a, b in zip(samples, before):
        assert torch.equal(a.gt_instances.labels, b.gt_instances.labels)
    for name, parameter in model.prompt_predictor.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert model.prompt_predictor.query.grad.abs().sum() > 0
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused  # DistributedDataParallel would stop

    found = run_frame(model, 0, refs=3)
    assert found.bboxes.shape == (len(found.scores), 4)
    assert found.labels.max() < tiny_models.NUM_CLASSES


def test_prompts_are_made_from_the_support_frames() -> None:
    model = build()
    first = run_frame(model, 0, refs=3)
    again = run_frame(model, 0, refs=3)
    assert torch.equal(first.scores, again.scores)
    model.eval()
    inputs = tiny_models.inputs(num_refs=3)
    inputs['ref_img'] = inputs['ref_img'] + 1
    with torch.no_grad():
        other = model.predict(inputs, tiny_models.samples())[0].pred_det_instances
    assert not torch.allclose(first.scores[:10], other.scores[:10], atol=1e-5)


def test_prompts_stay_for_the_video_and_no_longer() -> None:
    model = build()
    run_frame(model, 0, video_id=1, refs=3, seed=1)
    kept = run_frame(model, 1, video_id=1, seed=2)
    prompts = model.memory.prompts
    img = tiny_models.inputs(seed=2)['img'][:, 0]
    with torch.no_grad(), prompted(model.detector.backbone, prompts):
        direct = model.detect(img, tiny_models.samples())
    assert torch.equal(kept.scores, direct[0].pred_det_instances.scores)

    with pytest.raises(RuntimeError, match='frame 1 of video 2 arrived before frame 0'):
        run_frame(model, 1, video_id=2)
    run_frame(model, 2, video_id=1)  # the last of three frames
    with pytest.raises(RuntimeError, match='frame 1 of video 1'):
        run_frame(model, 1, video_id=1)


def test_a_new_video_does_not_depend_on_the_one_before() -> None:
    model = build()
    alone = run_frame(model, 0, video_id=2, refs=3, seed=5)
    run_frame(model, 0, video_id=1, refs=3, seed=6)
    after = run_frame(model, 0, video_id=2, refs=3, seed=5)
    assert torch.equal(alone.bboxes, after.bboxes)


def test_memory_is_not_part_of_the_weights() -> None:
    model = build()
    keys = set(model.state_dict())
    run_frame(model, 0, refs=3)
    assert set(model.state_dict()) == keys


def test_samples_of_a_batch_do_not_influence_each_other() -> None:
    model = build().eval()
    img = torch.randn(2, 1, 3, 64, 96)
    refs = torch.randn(2, 3, 3, 64, 96)
    prompts = model.prompt_predictor(model.support_features(refs))
    with prompted(model.detector.backbone, prompts), torch.no_grad():
        together = model.detector.extract_feat(img[:, 0])
    for i in range(2):
        alone = model.prompt_predictor(model.support_features(refs[i : i + 1]))
        with prompted(model.detector.backbone, alone), torch.no_grad():
            feats = model.detector.extract_feat(img[i])
        for a, b in zip(together, feats):
            torch.testing.assert_close(a[i : i + 1], b, rtol=1e-3, atol=1e-4)


def test_support_frames_carry_no_gradient() -> None:
    model = build()
    inputs = tiny_models.inputs(2)
    inputs['ref_img'].requires_grad_()
    total, _ = model.parse_losses(model.loss(inputs, tiny_models.samples(2)))
    total.backward()
    assert inputs['ref_img'].grad is None


def test_frozen_detector_still_trains_the_predictor() -> None:
    model = build(frozen_modules='detector')
    total, _ = model.parse_losses(
        model.loss(tiny_models.inputs(), tiny_models.samples())
    )
    total.backward()
    assert all(p.grad is None for p in model.detector.parameters())
    assert model.prompt_predictor.fc.weight.grad.abs().sum() > 0


def test_images_without_objects_train() -> None:
    model = build()
    samples = tiny_models.samples(num_boxes=0)
    total, _ = model.parse_losses(model.loss(tiny_models.inputs(), samples))
    total.backward()
    assert torch.isfinite(total)


def test_unpromptable_backbone_is_refused() -> None:
    detector = tiny_models.detector(FASTER_RCNN)
    detector.backbone.type = 'SwinTransformer'
    with pytest.raises(TypeError, match='SwinTransformer cannot be prompted'):
        MODELS.build(
            dict(
                type='STPN', detector=detector, prompt_predictor=tiny_models.predictor()
            )
        )


@pytest.mark.parametrize(
    'inputs, mode, message',
    [
        (tiny_models.inputs(num_refs=None), 'loss', 'no support frames'),
        (tiny_models.inputs(num_refs=None), 'predict', 'without support frames'),
        (
            dict(tiny_models.inputs(), img=torch.zeros(1, 2, 3, 64, 96)),
            'loss',
            'one key frame a sample',
        ),
        (
            dict(tiny_models.inputs(), ref_img=torch.zeros(2, 3, 64, 96)),
            'loss',
            r'ref_img must have shape',
        ),
    ],
)
def test_bad_inputs(inputs: dict, mode: str, message: str) -> None:
    samples = tiny_models.samples(len(inputs['img']))
    with pytest.raises(ValueError, match=message):
        build()(inputs, samples, mode=mode)


def test_prompted_nests_and_leaves_nothing_behind() -> None:
    backbone = MODELS.build(tiny_models.backbone()).eval()
    img = torch.randn(1, 3, 32, 32)
    outer, inner = torch.randn(2, 5, 16)

    def first_stage(prompts=None):
        return backbone(img, prompts)[0] if prompts is not None else backbone(img)[0]

    plain, with_outer, with_inner = (
        first_stage(),
        first_stage(outer),
        first_stage(inner),
    )
    attributes = set(vars(backbone))
    with prompted(backbone, outer):
        assert torch.equal(first_stage(), with_outer)
        with pytest.raises(KeyError), prompted(backbone, inner):
            assert torch.equal(first_stage(), with_inner)
            raise KeyError
        assert torch.equal(first_stage(), with_outer)
    assert torch.equal(first_stage(), plain)
    assert set(vars(backbone)) == attributes


def test_single_frame_detector_needs_no_video() -> None:
    model = MODELS.build(
        dict(type='SingleFrameDetector', detector=tiny_models.detector(FASTER_RCNN))
    )
    inputs = tiny_models.inputs(2, num_refs=None)
    samples = tiny_models.samples(2)
    total, _ = model.parse_losses(model(inputs, samples, mode='loss'))
    total.backward()
    with torch.no_grad():
        together = model.eval()(inputs, samples, mode='predict')
        alone = model(dict(img=inputs['img'][1:]), samples[1:], mode='predict')
    assert len(together) == 2
    torch.testing.assert_close(
        together[1].pred_det_instances.scores, alone[0].pred_det_instances.scores
    )


@pytest.mark.parametrize(
    'predictor, dims',
    [
        ('AttentionPromptPredictor', dict(in_channels=128, prompt_dims=16)),
        ('AveragePromptPredictor', dict(in_channels=128, prompt_dims=16)),
        ('MixerPromptPredictor', dict(in_channels=128, prompt_dims=16)),
    ],
)
def test_dimensions_of_prompts_follow_from_the_backbone(
    predictor: str, dims: dict
) -> None:
    detector = tiny_models.detector(FASTER_RCNN)
    stated, left_out, wrong = (
        dict(type='STPN', detector=detector, prompt_predictor=dict(type=predictor, **d))
        for d in (dims, {}, dict(dims, prompt_dims=32))
    )
    shapes = [
        {name: p.shape for name, p in MODELS.build(cfg).named_parameters()}
        for cfg in (stated, left_out)
    ]
    assert shapes[0] == shapes[1]
    with pytest.raises(ValueError, match='has prompt_dims=32, .* needs prompt_dims=16'):
        MODELS.build(wrong)
