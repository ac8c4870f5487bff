"""Pages are measured from the market second to their acceptance by a real server."""

from __future__ import annotations

import pytest

from monitor.lab.bench import page
from monitor.lab.simulate.scenario import Phase, Scenario

BURST = Scenario("burst", (Phase("long cascade", 7, push=-0.05, noise=4, activity=5),))


def test_every_page_of_a_storm_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The market's and the assets' pages have delays of their own, all after their second's end."""
    monkeypatch.setattr(page, "WARMUP_S", 60)
    (row,) = page.group(1, BURST).rows
    assert row.market_ms
    assert row.assets_ms
    assert min(row.market_ms + row.assets_ms) > 0
    assert row.read_per_s > 0
