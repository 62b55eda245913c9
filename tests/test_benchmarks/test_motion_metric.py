from __future__ import annotations

import pytest

from stpn_plugin.benchmarks.motion_metric import (
    evaluate,
    evaluate_plainly,
    make_dataset,
)


def test_both_ways_give_the_same_ap() -> None:
    gts, dets = make_dataset(400, 700, dets_per_frame=20, num_videos=40)
    ours, plain = evaluate(gts, dets), evaluate_plainly(gts, dets)
    assert list(ours) == ['all', 'fast', 'medium', 'slow']
    assert 0 < ours['all'] < 1
    assert ours == pytest.approx(plain, rel=1e-6, nan_ok=True)
