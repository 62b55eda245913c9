from __future__ import annotations

import pytest

from stpn_plugin.cli.bench_backbone import SIDES, main

SMALL = ['--size', '32', '64', '--repeats', '1']


@pytest.mark.slow
@pytest.mark.parametrize('kind, options', [('swin', []), ('pvt', ['--train'])])
def test_prints_every_side(
    kind: str, options: list, capsys: pytest.CaptureFixture
) -> None:
    assert main(['--kind', kind, *SMALL, '--sides', SIDES[3], *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip('| ').split(' | ') for line in lines if line.startswith('| ')]
    head, *sides = [[cell.strip() for cell in row] for row in rows]
    assert head == ['side', 's', 'CPU s', '/ mmdet', 'peak MiB', '/ mmdet']
    assert [side[0] for side in sides] == ['mmdet', 'ours, prompted']
    assert sides[0][3] == '1.00'
    assert all(float(side[1]) > 0 for side in sides)
    assert 'cores' in lines[0] and 'torch' in lines[0]


def test_there_is_no_published_pvt(capsys: pytest.CaptureFixture) -> None:
    assert main(['--kind', 'pvt', *SMALL, '--sides', SIDES[1]]) == 2
    assert SIDES[1] in capsys.readouterr().err
