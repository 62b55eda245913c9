from __future__ import annotations

import re

import pytest
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmtrack.registry import MODELS
from torch import nn

from stpn_plugin.models import (
    check_class_names,
    check_num_classes,
    checkpoint_classes,
)
from tests.support import tiny_models

CLASSES = ('ant', 'bee', 'cat')
BASES = {
    'Faster R-CNN': 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'Cascade R-CNN': 'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
    'Mask R-CNN': 'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'RetinaNet': 'retinanet/retinanet_r50_fpn_1x_coco.py',
    'Deformable DETR': 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
}
HEADS = {
    'Faster R-CNN': ['roi_head.bbox_head'],
    'Cascade R-CNN': [f'roi_head.bbox_head.{stage}' for stage in range(3)],
    'Mask R-CNN': ['roi_head.bbox_head', 'roi_head.mask_head'],
    'RetinaNet': ['bbox_head'],
    'Deformable DETR': ['bbox_head'],
}


def video_model(detector: dict) -> nn.Module:
    return MODELS.build(
        dict(type='STPN', detector=detector, prompt_predictor=tiny_models.predictor())
    )


@pytest.mark.parametrize('name', BASES)
def test_every_head_counts(name: str) -> None:
    model = video_model(tiny_models.detector(BASES[name]))
    check_num_classes(model, CLASSES)
    check_num_classes(model, None)
    with pytest.raises(ValueError, match='but there are 2 classes') as error:
        check_num_classes(model, CLASSES[:2])
    message = str(error.value)
    assert re.findall(r'detector\.([\w.]+)\.num_classes=3', message) == HEADS[name]
    assert "['ant', 'bee']" in message
    with pytest.raises(ValueError, match='but there are 2 classes'):
        check_num_classes(model.detector, CLASSES[:2])  # an image detector alone


def test_selsa_head() -> None:
    cfg = tiny_models.detector(BASES['Faster R-CNN'])
    cfg.roi_head.type = 'mmtrack.SelsaRoIHead'
    cfg.roi_head.bbox_roi_extractor.type = 'mmtrack.SingleRoIExtractor'
    cfg.roi_head.bbox_head.update(
        type='mmtrack.SelsaBBoxHead',
        num_shared_fcs=2,
        aggregator=dict(
            type='mmtrack.SelsaAggregator', in_channels=64, num_attention_blocks=4
        ),
    )
    model = video_model(cfg)
    check_num_classes(model, CLASSES)
    with pytest.raises(ValueError, match='roi_head.bbox_head.num_classes=3, but .* 4'):
        check_num_classes(model, (*CLASSES, 'dog'))


def test_one_stage_of_a_cascade() -> None:
    model = video_model(tiny_models.detector(BASES['Cascade R-CNN']))
    model.detector.roi_head.bbox_head[1].num_classes = 30
    with pytest.raises(ValueError, match=r'it has .*bbox_head\.1\.num_classes=30, but'):
        check_num_classes(model, CLASSES)


def test_wrapped_model() -> None:
    model = nn.DataParallel(video_model(tiny_models.detector(BASES['RetinaNet'])))
    assert is_model_wrapper(model)
    with pytest.raises(ValueError, match='detector.bbox_head.num_classes=3'):
        check_num_classes(model, 'ant')  # one class, the comma forgotten


def test_what_does_not_tell_the_classes_apart() -> None:
    """Backbones for stills, and parts of a tracker beside its detector."""
    model = nn.Module()
    model.detector = nn.Module()
    model.detector.backbone = nn.Linear(1, 1)
    model.detector.backbone.num_classes = 1000
    model.detector.bbox_head = nn.Linear(1, 1)
    model.detector.bbox_head.num_classes = 3
    model.reid = nn.Linear(1, 1)
    model.reid.num_classes = 380
    check_num_classes(model, CLASSES)


def test_classes_of_a_checkpoint() -> None:
    meta = dict(dataset_meta=dict(CLASSES=['ant', 'bee']))
    assert checkpoint_classes(dict(meta=meta)) == ('ant', 'bee')
    assert checkpoint_classes(dict(meta=dict(CLASSES=('ant',)))) == ('ant',)
    assert checkpoint_classes(dict(state_dict={})) is None
    assert checkpoint_classes(dict(meta=None)) is None


@pytest.mark.parametrize(
    ('trained', 'message'),
    [
        (('ant', 'bee'), 'was trained on 2 classes, and .* are 3'),
        (('bee', 'ant', 'cat'), 'was trained on the same classes in another'),
    ],
)
def test_labels_that_mean_other_classes(trained: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=f'x.pth {message}') as error:
        check_class_names(trained, CLASSES, 'x.pth')
    assert f'{list(trained)}' in str(error.value)
    assert f'{list(CLASSES)}' in str(error.value)


@pytest.mark.parametrize(
    ('trained', 'warns'),
    [(CLASSES, False), (None, False), (('ant', 'bumblebee', 'cat'), True)],
)
def test_other_names_are_warned_about(
    trained: tuple | None, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        check_class_names(trained, list(CLASSES), 'x.pth')
    finally:
        logger.removeHandler(caplog.handler)
    assert ('bumblebee' in caplog.text and "['ant', 'bee', 'cat']" in caplog.text) == (
        warns
    )
