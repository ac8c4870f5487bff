"""The summary of a page is the same on every channel."""

from __future__ import annotations

from monitor.deliver.paging.text import duration, summary
from tests.deliver.paging.signals import KEY, RESOLVE, TRIGGER, UNSEEN, signal


def test_the_summary_says_what_how_bad_and_how_sure() -> None:
    """Asset, side, amount, time, move, risk, share of complete feeds, blind venues and notes stand in one line."""
    assert summary(TRIGGER) == (
        "BTC: cascade of longs, 12.30M liquidated in 95 s, price -4.2 %, risk 72, 60% from complete feeds (a floor); "
        "in gap: okx; degraded"
    )
    assert summary(RESOLVE).startswith("BTC: over: cascade of longs, 12.30M liquidated in 15 min")
    assert summary(UNSEEN) == f"over: {KEY} ended without being observed"


def test_a_summary_keeps_to_pagerduty_s_limit() -> None:
    """1,024 characters, however much there is to say."""
    assert len(summary(TRIGGER._replace(signal=signal(1, "cascade", "calm", notes=["x" * 2000])))) == 1024


def test_durations_are_said_in_the_unit_that_fits() -> None:
    """Seconds, minutes, hours."""
    assert [duration(value) for value in (119.4, 120, 7200)] == ["119 s", "2 min", "2.0 h"]
