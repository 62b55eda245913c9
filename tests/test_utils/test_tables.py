from __future__ import annotations

import pytest

from stpn_plugin.utils import markdown_table, number_columns, text_table

ROWS = [
    ['class', 'boxes', 'AP'],
    ['[bold]car[/] :car:', 1200, '0.5'],
    ['dog', '7', 'nan'],
    ['mean', '', '–'],
]


def test_text_table() -> None:
    assert text_table(ROWS, total=True).splitlines() == [
        '+----------------------------------+',
        '| class              | boxes |  AP |',
        '|--------------------+-------+-----|',
        '| [bold]car[/] :car: |  1200 | 0.5 |',
        '| dog                |     7 | nan |',
        '|--------------------+-------+-----|',
        '| mean               |       |   – |',
        '+----------------------------------+',
    ]


@pytest.mark.parametrize('variable', ['FORCE_COLOR', 'TTY_COMPATIBLE', 'COLUMNS'])
def test_logs_stay_plain(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the terminal is, and however wide."""
    expected = text_table([['name'], ['x' * 300]])
    assert 'x' * 300 in expected and expected.isascii()
    monkeypatch.setenv(variable, '1')
    table = text_table([['name'], ['x' * 300]])
    assert table == expected and '\x1b' not in table


def test_markdown_table() -> None:
    rows = [['run', 'AP50'], ['a|b', '71.5 ± 0.3'], ['c', '70.0']]
    assert markdown_table(rows) == (
        '| run | AP50 |\n| --- | ---: |\n| a\\|b | 71.5 ± 0.3 |\n| c | 70.0 |'
    )


def test_number_columns() -> None:
    assert number_columns(ROWS) == [False, True, True]
    assert number_columns([['a', 'b']]) == [False, False]
    assert number_columns([['a', 'b'], ['', '-1,000.5 %']]) == [False, True]
