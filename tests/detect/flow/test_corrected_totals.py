"""What throttled feeds hide, beside what they reported."""

from __future__ import annotations

import math

import msgspec
import pytest

from monitor.detect.flow.calendar_seconds import CalendarSeconds
from monitor.detect.flow.corrected_totals import Corrected
from monitor.model.events import MICROS, Coverage, Liquidation
from monitor.model.signals import SideTotals
from tests.detect.scenarios import BRISK, START, crash, in_order, play, turns
from tests.detect.stored import stored

MINUTE = START + 59


def feed(seconds: int, largest: bool = False) -> CalendarSeconds:
    """A feed that reported 1,000 USD of longs in so many seconds of the minute that ends now."""
    throttle = CalendarSeconds(largest=largest)
    for second in range(START, START + 60):
        throttle.advance(second)
        if second >= START + 60 - seconds:
            throttle.add(second * MICROS, "long", 1_000 * MICROS)
    return throttle


def test_nothing_is_corrected_where_nothing_is_saturated() -> None:
    """A few reports a minute decide as they are, and what they may hide is still added up at the minute's end."""
    corrected = Corrected()
    corrected.measure(MINUTE, {("okx", "BTC-USDT-SWAP"): feed(4)})
    assert corrected.windows == {}
    assert corrected.by_venue == {"okx": round(4 / 60, 4)}
    since = corrected.since("long", SideTotals(4_000.0, 0.0))
    assert since.long.mid == pytest.approx(60_000 * -math.log(1 - 4 / 60), abs=0.02)


def test_a_saturated_feed_adds_to_windows_and_totals_beside_the_reports() -> None:
    """Forty of sixty seconds: ln 3 orders a second, 65.9 thousand USD instead of 40, half of it in half a minute."""
    corrected = Corrected()
    corrected.measure(MINUTE, {("okx", "BTC-USDT-SWAP"): feed(40), ("okx", "BTC-USD-SWAP"): feed(2)})
    hidden = 60 * math.log(3) - 40
    assert corrected.windows["1m"][0] / 1e9 == pytest.approx(hidden, abs=0.05)
    assert corrected.windows["30s"][0] * 2 == pytest.approx(corrected.windows["1m"][0], abs=2)
    assert corrected.by_venue == {"okx": 0.6667}
    since = corrected.since("long", SideTotals(42_000.0, 0.0))
    assert since.long.low < 42_000 + 1_000 * hidden < since.long.high  # type: ignore[operator]
    assert since.short.mid == 0.0


def test_a_minute_beyond_the_ceiling_opens_the_high_end() -> None:
    """A report in every second: at least so much, and nobody knows how much more, for as long as the episode lasts."""
    corrected = Corrected()
    corrected.begin("short")
    corrected.measure(MINUTE, {("okx", "BTC-USDT-SWAP"): feed(60)})
    corrected.begin("long")
    assert corrected.since("short", SideTotals(60_000.0, 0.0)).long.high is None
    assert corrected.since("long", SideTotals(0.0, 0.0)).long.high == 0.0


def test_it_goes_on_after_a_restart() -> None:
    """State through MessagePack makes no difference."""
    corrected, other = Corrected(), Corrected()
    corrected.measure(MINUTE, {("okx", "BTC-USDT-SWAP"): feed(45)})
    other.load(stored(corrected.state()))
    for each in (corrected, other):
        each.measure(MINUTE + 1, {("okx", "BTC-USDT-SWAP"): feed(50)})
    assert other.windows == corrected.windows != {}
    assert other.state() == corrected.state()


@pytest.mark.parametrize("coverage", ["latest_per_second", "sampled"])
def test_signals_carry_both_sums_and_the_saturation(coverage: Coverage) -> None:
    """The reported sum stays as it is; the corrected one is above it, and the venue says how saturated it was."""
    events = [
        msgspec.structs.replace(event, coverage=coverage) if isinstance(event, Liquidation) else event
        for event in crash()
    ]
    _, signals = play(in_order(events), BRISK)
    plain = play(crash(), BRISK)[1]
    for asset in ("BTC", "MARKET"):
        last, expected = turns(signals, asset)[-1], turns(plain, asset)[-1]
        assert last.liquidated_usd.long == pytest.approx(expected.liquidated_usd.long, rel=0.05)
        corrected = last.liquidated_usd_corrected.long
        assert corrected.low >= last.liquidated_usd.long
        assert corrected.mid > 1.2 * last.liquidated_usd.long
        exact = expected.liquidated_usd_corrected.long
        assert exact.low == exact.mid == exact.high == expected.liquidated_usd.long
    worst = max(signals, key=lambda signal: max(signal.coverage.saturation.values(), default=0.0))
    assert 0.4 < max(worst.coverage.saturation.values()) <= 0.6  # the two venues take turns
