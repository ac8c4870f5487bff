"""A record that cannot be applied costs its asset ten minutes, and nobody else anything."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.detect.detector import Detector
from monitor.detect.market import Market
from monitor.detect.quarantine import LENGTH_S, NOTE
from monitor.model.events import MARKET, MICROS, AnyEvent, MarkPrice, OpenInterest
from monitor.model.sides import BySide
from tests.budget import examples, few
from tests.detect.hostile import streams
from tests.detect.poison import UNAPPLIED, UNCLOSED, poisoned
from tests.detect.scenarios import BRISK, START, crash, encoded, in_order, mark, play, turns

FAULT = START + 690
"""Amid the cascade of :func:`tests.detect.scenarios.crash`."""


def market(*extra: AnyEvent) -> list[AnyEvent]:
    """The crashes of two assets, and what else comes."""
    return in_order([*crash(), *crash(asset="SOL"), *extra])


@pytest.fixture(autouse=True)
def _poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    poisoned(monkeypatch)


@pytest.mark.parametrize("price", [UNAPPLIED, UNCLOSED])
def test_a_fault_sets_its_asset_aside_and_no_other(price: float) -> None:
    """The other asset's signals are the same to the byte, the faulty one's episode ends with a note."""
    _, whole = play(market(), BRISK)
    detector, signals = play(market(mark(FAULT, price, asset="SOL")), BRISK)
    assert encoded(each for each in signals if each.asset == "BTC") == encoded(
        each for each in whole if each.asset == "BTC"
    )
    last = turns(signals, "SOL")[-1]
    assert (last.phase, last.previous_phase, last.notes) == ("calm", "cascade", [NOTE])
    assert last.event_time_us == (FAULT + 1) * MICROS
    assert [each.revision for each in signals if each.asset == "SOL"] == sorted(
        each.revision for each in signals if each.asset == "SOL"
    )
    assert detector.quarantine.faults == 1
    assert detector.quarantine.passed_over > 0


def test_the_record_is_a_reject_with_its_asset_and_reason() -> None:
    """What is published has the record's venue, its JSON, and says what failed."""
    poison = mark(FAULT, UNAPPLIED, asset="SOL")
    detector, _ = play(market(poison), BRISK)
    (fault,) = detector.quarantine.take()
    assert fault.second == FAULT
    assert (fault.reject.venue, fault.reject.reason) == ("bybit", "not_applicable")
    assert fault.reject.detail == (
        f"SOL: a MarkPrice of bybit SOLUSDT failed at second {FAULT}: ArithmeticError: a poisonous mark"
    )
    assert msgspec.json.decode(fault.reject.sample, type=MarkPrice) == poison
    assert detector.quarantine.take() == []


def test_a_second_that_cannot_be_closed_is_a_reject_without_a_record() -> None:
    """Nobody can say which record it was, so the second is named."""
    detector, _ = play(market(mark(FAULT, UNCLOSED, asset="SOL")), BRISK)
    (fault,) = detector.quarantine.take()
    assert (fault.reject.venue, fault.reject.sample) == ("detector", b"")
    assert "closing a second failed" in fault.reject.detail


def test_a_quarantine_ends_after_its_time_with_a_new_state() -> None:
    """Records are passed over up to the end, and the first one after it makes the asset anew."""
    detector = Detector(BRISK)
    detector.apply([mark(START, 100.0), mark(START + 1, UNAPPLIED), mark(START + LENGTH_S, 100.0)])
    assert "BTC" not in detector.assets
    assert detector.view().quarantined == ["BTC"]
    detector.apply([mark(START + 1 + LENGTH_S, 99.0)])
    detector.advance(START + 2 + LENGTH_S)
    assert detector.assets["BTC"].scope.price.last == 99.0
    assert detector.view().quarantined == []
    assert (detector.quarantine.faults, detector.quarantine.passed_over) == (1, 1)


def test_a_record_that_comes_again_costs_one_quarantine_each_time() -> None:
    """The asset is back between two of them."""
    detector, back = Detector(BRISK), 0
    for number in range(3):
        at = START + number * 2 * LENGTH_S
        detector.apply([mark(at, 100.0), mark(at + 1, UNAPPLIED), mark(at + 2, 100.0)])
        back += "BTC" not in detector.assets
        detector.apply([mark(at + 1 + LENGTH_S, 100.0)])
        back += "BTC" in detector.assets
    assert back == 6
    assert detector.quarantine.faults == 3


def test_the_market_sees_a_quarantined_leader_calm() -> None:
    """No cascade of a leader is left standing in the market's state by a fault of that leader."""
    detector, _ = play(market(mark(FAULT, UNAPPLIED)), BRISK, FAULT + 60)
    assert detector.market is not None
    assert detector.market.state.leader_phases["BTC"] == BySide("calm", "calm")


def test_a_fault_of_the_market_stops_no_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The market is quarantined as an asset is, and comes back."""
    _, whole = play(market(), BRISK)
    with monkeypatch.context() as patch:
        patch.setattr(Market, "take", lambda self, summary: math.log(0.0))
        detector, signals = play(market(), BRISK)
    assert {each.asset for each in signals} == {"BTC", "SOL"}
    assert encoded(signals) == encoded(each for each in whole if each.asset != MARKET)
    assert detector.view().quarantined == [MARKET]
    detector.apply([mark(START + 3_000, 97.0)])
    detector.advance(START + 3_001)
    assert detector.view().quarantined == []
    assert detector.market is not None
    assert detector.market.state.leader == "BTC"


@pytest.mark.parametrize("price", [UNAPPLIED, UNCLOSED])
@pytest.mark.sampled
@pytest.mark.parametrize("cut", few([1, 400, 0, 2, 30], 2))
def test_a_restart_does_not_flip_a_quarantine(price: float, cut: int) -> None:
    """Kept and restored right after the fault or later, the signals and the state are the same."""
    events = market(mark(FAULT, price, asset="SOL"), mark(FAULT + LENGTH_S + 5, 97.0, asset="SOL"))
    at = events.index(mark(FAULT, price, asset="SOL")) + cut
    whole, signals = play(events, BRISK)
    half = Detector(BRISK)
    first = half.apply(events[:at])
    rest = Detector.restore(half.snapshot(), BRISK)
    assert rest.snapshot() == half.snapshot()
    first += rest.apply(events[at:]) + rest.advance(rest.second + 1)
    assert encoded(first) == encoded(signals)
    assert rest.snapshot() == whole.snapshot()
    assert rest.quarantine.take() == whole.quarantine.take()


def test_episodes_before_the_fault_are_still_listed() -> None:
    """What had ended before stays in the summary, in quarantine and after it."""
    events = [*crash(), *(mark(START + at, 103.0) for at in range(1_501, 1_900, 10))]
    detector, _ = play(events, BRISK)
    before = detector.episodes()
    assert before
    detector.apply([mark(START + 2_000, UNAPPLIED)])
    assert detector.episodes() == before
    detector.apply([mark(START + 2_000 + LENGTH_S, 103.0)])
    assert detector.assets["BTC"].scope.state.finished == [each for each in before if each.asset == "BTC"]


def test_metrics_name_what_is_in_quarantine() -> None:
    """The gauge is there while it lasts, the counters tell faults from what was passed over."""
    detector = Detector(BRISK)
    detector.apply([mark(START, 100.0), mark(START + 1, UNAPPLIED), mark(START + 2, 100.0)])
    view = detector.view()
    text = MonitorMetrics(lambda: Snapshot(view)).exposition().decode()
    assert 'cascade_asset_quarantined{asset="BTC"} 1.0' in text
    assert 'cascade_events_unapplied_total{reason="fault"} 1.0' in text
    assert 'cascade_events_unapplied_total{reason="quarantined"} 1.0' in text


@settings(max_examples=examples(5, 100), suppress_health_check=list(HealthCheck))
@given(streams(), st.integers(0, 40), st.sampled_from([math.inf, math.nan, -1.0, 0.0, 5e-324, 1.7e308, 2.0**80]))
def test_nothing_that_is_no_number_of_a_market_stops_the_detector(
    events: list[AnyEvent], place: int, value: float
) -> None:
    """Records that no door should let in are applied or set aside, and the state can be kept and restored."""
    at = events[min(place, len(events) - 1)].receive_time_us
    mad: list[AnyEvent] = [
        MarkPrice("okx", "BTC", "BTC", at, at, value, value, value),
        OpenInterest("okx", "SOL", "SOL", at, at, value, value),
        OpenInterest("okx", "PEPE", "PEPE", 2**80, at, 1.0, 1.0),
    ]
    detector = Detector(BRISK)
    detector.apply(in_order([*events, *mad]))
    detector.advance(detector.second + 61)
    unbelieved = len(detector.watermark.state().held) + sum(detector.watermark.refused.values())
    assert detector.quarantine.faults + unbelieved >= 1
    again = Detector.restore(detector.snapshot(), BRISK)
    assert again.snapshot() == detector.snapshot()
