from __future__ import annotations

import re

import pytest

from stpn_plugin.utils import category_ids, classes_in

CATEGORIES = [dict(id=7, name='a'), dict(id=3, name='b'), dict(id=5, name='other')]


@pytest.mark.parametrize(
    ('classes', 'expected'),
    [(('a', 'b'), [7, 3]), (['b', 'a'], [3, 7]), (('other',), [5]), ('other', [5])],
)
def test_order_of_the_classes(classes: tuple, expected: list) -> None:
    assert category_ids(CATEGORIES, classes, 'x.json') == expected


@pytest.mark.parametrize(
    ('classes', 'message'),
    [
        (('b', 'c', 'd'), "no category for the classes ['c', 'd']"),
        (('b', 'a', 'b'), "classes that are given twice, ['b']"),
        (('twin', 'a'), "several categories for the classes ['twin']"),
    ],
)
def test_what_does_not_go_together(classes: tuple, message: str) -> None:
    """The message shows the file, its categories and the classes."""
    categories = [*CATEGORIES, dict(id=8, name='twin'), dict(id=9, name='twin')]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        category_ids(categories, classes, 'x.json')
    text = str(error.value)
    assert text.startswith('x.json does not go with CLASSES')
    assert "['a', 'b', 'other', 'twin']" in text
    assert str(list(classes)) in text


def test_twins_among_other_categories_do_not_matter() -> None:
    twins = [dict(id=8, name='twin'), dict(id=9, name='twin')]
    assert category_ids([*CATEGORIES, *twins], ('b', 'a'), 'x.json') == [3, 7]


def test_classes_of_metainfo() -> None:
    assert classes_in(dict(CLASSES=['a', 'b'])) == ('a', 'b')
    assert classes_in(dict(classes=('a',))) == ('a',)
    # Stock configs forget the comma of a tuple.
    assert classes_in(dict(CLASSES='pedestrian')) == ('pedestrian',)
    assert classes_in({}) is None
    assert classes_in(None) is None
