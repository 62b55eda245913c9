from __future__ import annotations

import pytest

from stpn_plugin.cli.bench_backbone import SIDES, main


@pytest.mark.slow
@pytest.mark.parametrize('kind, options', [('swin', []), ('pvt', ['--train'])])
def test_prints_every_side(
    kind: str, options: list, capsys: pytest.CaptureFixture
) -> None:
    small = ['--size', '32', '64', '--repeats', '1', '--sides', SIDES[2]]
    main(['--kind', kind, *small, *options])
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip('| ').split(' | ') for line in lines if line.startswith('| ')]
    sides = rows[2:]  # below the head and its rule
    assert [side[0] for side in sides] == ['mmdet', 'ours, prompted']
    assert sides[0][2] == sides[0][4] == '1.00'
    assert all(len(side) == 7 and float(side[1]) > 0 for side in sides)
    assert 'cores' in lines[1] and 'torch' in lines[1]
