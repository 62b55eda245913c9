from __future__ import annotations

import pytest

from stpn_plugin.models.backbones import pieces


@pytest.fixture()
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tensors are worked through a few rows at a time, as large ones are."""
    monkeypatch.setattr(pieces, 'PIECE', 2**13)
