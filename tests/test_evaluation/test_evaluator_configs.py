from __future__ import annotations

import copy

import pytest

from stpn_plugin.evaluation import (
    format_only_evaluator,
    select_evaluators,
    set_options,
)

COCO = dict(type='CocoVideoMetric', ann_file='a.json', metric='bbox', classwise=True)
MOTION = dict(type='mmtrack.VIDMotionMetric', ann_file='b.json', classwise=True)
DATASET = dict(data_root='root', ann_file='c.json')


@pytest.mark.parametrize(
    'configured, names, expected',
    [
        ([COCO, MOTION], ['bbox'], [dict(COCO, metric=['bbox'])]),
        ([COCO, MOTION], ['motion'], [MOTION]),
        (
            [COCO],
            ['motion', 'segm', 'bbox'],
            [
                dict(type='VIDMotionMetric', ann_file='a.json'),
                dict(COCO, metric=['segm', 'bbox']),
            ],
        ),
        ([], ['motion'], [dict(type='VIDMotionMetric', ann_file='root/c.json')]),
    ],
)
def test_select(configured: list, names: list, expected: list) -> None:
    before = copy.deepcopy(configured)
    assert select_evaluators(configured, names, DATASET) == expected
    assert configured == before


def test_select_unknown() -> None:
    with pytest.raises(ValueError, match="Cannot evaluate .'speed'"):
        select_evaluators([COCO], ['bbox', 'speed'], DATASET)


def test_format_only() -> None:
    new = dict(ann_file='a.json', format_only=True, outfile_prefix='p')
    assert format_only_evaluator([COCO], DATASET, 'p') == dict(
        type='VIDMotionMetric', **new
    )
    configured = dict(MOTION, outfile_prefix='mine')
    assert format_only_evaluator([COCO, configured], DATASET, 'p') == dict(
        configured, format_only=True
    )


def test_options_go_to_those_that_have_them() -> None:
    options = dict(classwise=False, proposal_nums=(1,), motion_iou_file='m.mat')
    coco, motion = set_options([COCO, MOTION], options)
    assert coco == dict(COCO, classwise=False, proposal_nums=(1,))
    assert motion == dict(MOTION, classwise=False, motion_iou_file='m.mat')
    with pytest.raises(ValueError, match='jsonfile: none of the evaluators'):
        set_options([COCO, MOTION], dict(jsonfile='a'))
