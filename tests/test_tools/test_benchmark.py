from __future__ import annotations

from pathlib import Path

import pytest

from stpn_plugin.cli.bench import KEEP_MEMORY, PARTS, main


def titles(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.strip('*') for line in lines if line.startswith('**')]


@pytest.mark.slow
def test_measures_every_part(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / 'bench.md'
    main(['--quick', '--out', str(out)])
    printed = capsys.readouterr().out
    assert 'cores' in printed.splitlines()[0] and 'torch' in printed.splitlines()[0]
    found = titles(out)
    assert all(title in printed for title in found)
    for word in (
        *('Swin-T, inference', 'Swin-T, forward and backward', 'PVTv2, inference'),
        *('Where the time goes', 'Test loop', 'support frames', 'Training step'),
        *('With freed memory kept', 'STPN by test batch size', 'Exported'),
        *('Loading in test', 'Loading in train', 'AP50 by motion', 'one busy process'),
    ):
        assert any(word in title for title in found), word
    text = out.read_text()
    for side in ('published, prompted', 'STPN, batch 8', 'SELSA R50', 'image by image'):
        assert f'| {side} |' in text


@pytest.mark.slow
def test_what_a_gpu_is_to_measure(tmp_path: Path) -> None:
    """On a CPU: types, batches and parts are what a GPU gets without being asked."""
    out = tmp_path / 'bench.md'
    main(
        [
            *('--quick', '--out', str(out)),
            *('--parts', 'backbones', 'profile', 'test-loop', 'training'),
            *('--dtypes', 'float32', 'bfloat16', '--batches', '1', '2'),
        ]
    )
    found = ' '.join(titles(out))
    for batch in (1, 2):
        for dtype in ('float32', 'bfloat16'):
            assert f'inference, {batch}x3x64x96, 5 prompts, {dtype}' in found
    # Of each type; backbones train with each batch, and PVT with one alone.
    counts = {'backward': 5, 'goes': 4, 'Test loop': 2, 'Training step': 2}
    assert {part: found.count(part) for part in counts} == counts


@pytest.mark.gpu
def test_on_a_gpu(tmp_path: Path) -> None:
    out = tmp_path / 'bench.md'
    main(['--quick', '--device', 'cuda', '--out', str(out)])
    assert 'bfloat16' in out.read_text()


def test_writes_nothing_where_it_cannot(tmp_path: Path) -> None:
    missing = tmp_path / 'file'
    missing.write_text('')
    assert main(['--quick', '--parts', 'metric', '--out', str(missing / 'b.md')]) == 2


def test_what_keeps_memory_comes_last() -> None:
    assert tuple(PARTS)[-len(KEEP_MEMORY) :] == KEEP_MEMORY


def test_every_part_can_be_asked_for() -> None:
    assert main.parse(['--parts', *PARTS]).parts == list(PARTS)
