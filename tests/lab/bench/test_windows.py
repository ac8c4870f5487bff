from __future__ import annotations

from collections import defaultdict

import pytest

from monitor.detect.flow.windows import WINDOWS
from monitor.lab.bench import windows


def test_ours_and_the_deques_hold_the_same_sums() -> None:
    """What is compared does the same work: both hold every event of the longest window, exactly."""
    events = windows.hits(500, per_second=25_000)
    keys = sorted({(hit.asset, hit.lane) for hit in events})
    stores, deques = windows.new_stores(keys), {key: windows.Deques() for key in keys}
    assert windows.run_ours(events, stores) == windows.run_deques(events, deques) == 500
    expected: dict[windows.Lane, int] = defaultdict(int)
    for hit in events:
        expected[hit.asset, hit.lane] += hit.micros
    for asset, lane in keys:
        assert stores[asset][0].sum("30d", stores[asset][1][lane]) == expected[asset, lane]
        assert deques[asset, lane].sums[list(WINDOWS).index("30d")] == expected[asset, lane]


def test_deques_evict() -> None:
    """An amount leaves each deque when its window has passed."""
    deques = windows.Deques()
    deques.add(0, 5)
    deques.add(1_000_000, 7)
    assert deques.sums[:2] == [7, 12]


@pytest.mark.parametrize("per_second", list(windows.DENSITIES))
def test_each_density_can_be_measured(per_second: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny run of the row gives a rate for each way and ratios to the deques."""
    monkeypatch.setattr(windows, "WARM_S", 0.001)
    monkeypatch.setattr(windows, "MIN_EVENTS", 200)
    group = windows.group(per_second, rounds=1, seconds=0.01)
    assert [row.name for row in group.rows][:2] == [windows.DEQUES, windows.OURS]
    assert all(row.median > 0 for row in group.rows)
    assert group.ratios(group.rows[0], windows.DEQUES) == [1.0]
