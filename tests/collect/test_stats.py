from __future__ import annotations

from monitor.collect.stats import AGE_BOUNDS_US, SessionStats, total
from monitor.model.events import Liquidation, Trade


def test_ages_fall_into_inclusive_buckets() -> None:
    """An age equal to a bound counts below it; a negative one (our clock is behind) counts as nothing old."""
    stats = SessionStats("v", "c")
    for age_us in (-5, 0, 1_000, 1_001, 30_000_000, 30_000_001):
        stats.ages.observe(age_us)
    assert stats.ages.counts[0] == 3
    assert stats.ages.counts[1] == 1
    assert stats.ages.counts[-2:] == [1, 1]
    assert len(stats.ages.counts) == len(AGE_BOUNDS_US) + 1
    assert stats.ages.sum == 1_000 + 1_001 + 30_000_000 + 30_000_001


def test_liquidations_sum_exactly() -> None:
    """Ten million events of ten cents are a million dollars: sums are integers of micro-USD."""
    stats = SessionStats("v", "c")
    event = Liquidation("v", "S", "A", 1, 1, "short", 0.1, "complete", "x")
    for _ in range(1000):
        stats.count_event(event)
    assert stats.liquidated_short_micro_usd == 100_000_000
    assert stats.liquidated_long_micro_usd == 0
    assert stats.events["liquidation"] == 1000


def test_total_adds_every_counter() -> None:
    """The sum over connections adds counts and takes the latest time."""
    first, second = SessionStats("v", "a"), SessionStats("v", "b")
    for number, stats in enumerate((first, second), start=1):
        stats.frames = number
        stats.connected = 1
        stats.gap_us = 10 * number
        stats.last_message_us = 100 - number
        stats.rejects["malformed"] = stats.skipped["backlog"] = number
        stats.reconnects["stale"] = number
        stats.count_event(Trade("v", "S", "A", 1, 1, "buy", 1.0, 1.0, 1.0, 1, "x"))
        stats.ages.observe(7)
    whole = total("v", [first, second])
    assert (whole.venue, whole.connection) == ("v", "*")
    assert (whole.frames, whole.connected, whole.gap_us, whole.last_message_us) == (3, 2, 30, 99)
    assert (whole.rejects["malformed"], whole.reconnects["stale"], whole.events["trade"]) == (3, 3, 2)
    assert whole.skipped["backlog"] == 3
    assert (whole.ages.counts[0], whole.ages.sum) == (2, 14)


def test_every_numeric_field_is_summed() -> None:
    """No counter is forgotten when connections are added up."""
    part = SessionStats("v", "a")
    numeric = [name for name in SessionStats.__slots__ if isinstance(getattr(part, name), int)]
    for name in numeric:
        setattr(part, name, 3)
    whole = total("v", [part, part])
    assert {name: getattr(whole, name) for name in numeric} == {
        name: 3 if name == "last_message_us" else 6 for name in numeric
    }
