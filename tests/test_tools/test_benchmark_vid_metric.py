from __future__ import annotations

import pytest

from stpn_plugin.benchmarks.motion_metric import make_dataset
from stpn_plugin.cli.bench_metric import main


def test_prints_size_time_and_memory(capsys: pytest.CaptureFixture) -> None:
    main(['--frames', '70', '--boxes', '140', '--videos', '3', '--dets-per-frame', '5'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('70 frames, ')
    assert lines[0].endswith(' boxes, 350 detections')
    assert [line.split()[-1] for line in lines[1:]] == ['GiB', 's', 's', 's', 'GiB']
    assert all(float(line.split()[-2]) >= 0 for line in lines[1:])


@pytest.mark.parametrize(('num_boxes', 'tolerance'), [(5000, 0.3), (1000, 0.1)])
def test_size_of_dataset(num_boxes: int, tolerance: float) -> None:
    gts, dets = make_dataset(2000, num_boxes, dets_per_frame=3, num_videos=100)
    assert len(gts) == len(dets) == 2000
    found = sum(len(gt['labels']) for gt in gts)
    assert found == pytest.approx(num_boxes, rel=tolerance)
    assert {len(det['scores']) for det in dets} == {3}


@pytest.mark.parametrize('option', ['--frames', '--videos', '--repeat'])
def test_sizes_have_to_be_positive(option: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(['--frames', '5', '--boxes', '5', '--videos', '1', option, '0'])
    assert f'{option}: 0 has to be at least 1' in capsys.readouterr().err
