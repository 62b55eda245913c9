"""Whole detectors against the authors' code: a video under test, and losses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from mmtrack.registry import MODELS
from torch import Tensor

from tests.support import tiny_models
from tests.support.golden import Golden, load_golden, load_weights, unmatched


def modern(detector: dict[str, Any]) -> ConfigDict:
    """The authors' detector config in today's names."""
    detector = ConfigDict(detector)
    detector['_scope_'] = 'mmdet'
    detector.backbone.type = 'mmtrack.STPNSwinTransformer'
    detector.backbone.pop('prompt_cfg')
    if detector.roi_head.type == 'SelsaRoIHead':
        head = detector.roi_head
        for module in (
            head,
            head.bbox_roi_extractor,
            head.bbox_head,
            head.bbox_head.aggregator,
        ):
            module.type = f'mmtrack.{module.type}'
    return detector


def modern_predictor(model: dict[str, Any]) -> dict[str, Any]:
    names = dict(att='AttentionPromptPredictor', avg='AveragePromptPredictor')
    return dict(
        type=names[model['predictor']],
        in_channels=model['embed_dims'],
        prompt_dims=model['prompt_dims'],
        num_prompts=model['num_prompts'],
    )


def build(golden: Golden, **kwargs: Any) -> torch.nn.Module:
    model = MODELS.build(
        dict(
            dict(
                type='STPN',
                detector=modern(golden.model['detector']),
                prompt_predictor=modern_predictor(golden.model),
            ),
            **kwargs,
        )
    )
    load_weights(model, golden.weights)
    return model


def frame(golden: Golden, index: int) -> dict[str, Any]:
    """Frame ``index`` of the case's video as the data preprocessor gives it."""
    inputs = dict(img=golden.inputs['frames'][index][None, None])
    if index == 0:
        inputs['ref_img'] = golden.inputs['refs'][None, : golden.cfg['n_refs']]
    (sample,) = tiny_models.samples(
        frame_id=index, video_length=golden.cfg['n_frames'], num_boxes=0
    )
    sample.set_metainfo(
        dict(
            img_shape=tuple(golden.cfg['img_shape']),
            pad_shape=tuple(golden.cfg['pad_shape']),
            batch_input_shape=tuple(golden.cfg['pad_shape']),
        )
    )
    if index == 0:
        shapes = ('img_shape', 'pad_shape', 'batch_input_shape')
        count = golden.cfg['n_refs']
        sample.set_metainfo({f'ref_{k}': [sample.get(k)] * count for k in shapes})
    return dict(inputs=inputs, data_samples=[sample])


def rows(instances: InstanceData) -> Tensor:
    """Detections (N, 6): x1, y1, x2, y2, score, label."""
    return torch.cat(
        (instances.bboxes, instances.scores[:, None], instances.labels[:, None]), dim=1
    )


@pytest.mark.parametrize('predictor', ['att', 'avg'])
def test_video(predictor: str) -> None:
    golden = load_golden(f'video_prompt_test_{predictor}')
    model = build(golden).eval()
    refs = golden.inputs['refs'][None, : golden.cfg['n_refs']]
    with torch.no_grad():
        prompts = model.prompt_predictor(model.support_features(refs))
        torch.testing.assert_close(
            prompts[0],
            golden.outputs['prompt'],
            rtol=0,
            atol=golden.tolerance['prompt_atol'],
        )
        for index in range(golden.cfg['n_frames']):
            data = frame(golden, index)
            (result,) = model.predict(**data, rescale=False)
            found = rows(result.pred_det_instances)
            assert unmatched(found, golden.outputs[f'det_{index}'], 1e-3, 0.05) == 0


@pytest.mark.parametrize('name, extra_frames', [('extra', True), ('noextra', False)])
def test_selsa_video(name: str, extra_frames: bool) -> None:
    golden = load_golden(f'selsa_video_prompt_test_{name}')
    model = build(golden, type='STPNSelsa', extra_frames=extra_frames).eval()
    with torch.no_grad():
        for index in range(golden.cfg['n_frames']):
            (result,) = model.predict(**frame(golden, index), rescale=False)
            if index == 0:
                torch.testing.assert_close(
                    model.memory.prompts[0],
                    golden.outputs['prompt'],
                    rtol=0,
                    atol=golden.tolerance['prompt_atol'],
                )
            found = rows(result.pred_det_instances)
            assert unmatched(found, golden.outputs[f'det_{index}'], 1e-3, 0.05) == 0


def test_losses_and_gradients() -> None:
    golden = load_golden('video_prompt_loss')
    model = build(golden).train()
    sample = tiny_models.samples(num_boxes=0)[0]
    sample.gt_instances = InstanceData(
        bboxes=golden.inputs['gt_bboxes'], labels=golden.inputs['gt_labels'].long()
    )
    shapes = ('img_shape', 'pad_shape')
    sample.set_metainfo({key: tuple(golden.cfg[key]) for key in shapes})
    sample.set_metainfo(dict(batch_input_shape=tuple(golden.cfg['pad_shape'])))
    losses = model.loss(
        dict(img=golden.inputs['img'][None], ref_img=golden.inputs['refs'][None]),
        [sample],
    )
    tolerance = golden.tolerance
    close = dict(rtol=tolerance['loss_rtol'], atol=tolerance['loss_atol'])
    for name in ('loss_rpn_cls', 'loss_rpn_bbox'):
        torch.testing.assert_close(
            torch.stack(losses[name]), golden.outputs[name], **close
        )
    for name in ('loss_cls', 'loss_bbox'):
        torch.testing.assert_close(losses[name], golden.outputs[name], **close)

    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(total, golden.outputs['total'], **close)
    total.backward()
    parameters = dict(model.named_parameters())
    for name in golden.cfg['grad_params']:
        torch.testing.assert_close(
            parameters[name].grad.norm(),
            golden.outputs[f'gradnorm_{name}'],
            rtol=tolerance['gradnorm_rtol'],
            atol=1e-6,
        )
        if f'grad_{name}' in golden.outputs:
            expected = golden.outputs[f'grad_{name}']
            difference = (parameters[name].grad - expected).abs().max()
            limit = tolerance['grad_max_abs_over_max_abs'] * expected.abs().max()
            assert difference <= limit, name
