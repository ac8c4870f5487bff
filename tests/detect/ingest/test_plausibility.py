"""Liquidations that are impossible for their asset are counted and enter no sum; real ones of thin markets do."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from monitor.detect.context.open_interest import LONGEST_S
from monitor.detect.detector import Detector
from monitor.detect.ingest.plausibility import INTEREST_FACTOR, PRICE_FACTOR, PRICE_FRESH_S
from monitor.model.events import Liquidation
from tests.budget import examples
from tests.detect.scenarios import START, crash, encoded, in_order, interest, liquidation, mark, play

SLACK_USD = 100_000.0


def sums(detector: Detector) -> tuple[float, float]:
    """Return USD by side of all liquidations that were taken."""
    return detector.view().liquidated_usd


def priced(second: int, usd: float, price: float, **more: str) -> Liquidation:
    """Return a liquidation with its price."""
    return replace(liquidation(second, usd), price=price, price_kind="bankruptcy", **more)


@pytest.mark.parametrize("open_usd", [0.0, 5_000.0, 1e6, 1e10])
def test_a_liquidation_far_above_the_open_interest_is_excluded(open_usd: float) -> None:
    """Three times the open interest and 100,000 USD are taken; anything above is counted and in no sum."""
    detector = Detector()
    most = INTEREST_FACTOR * open_usd + SLACK_USD
    detector.apply([mark(START, 100.0), interest(START, open_usd / 100.0, open_usd)])
    detector.apply([liquidation(START + 1, most, id_="real"), liquidation(START + 1, most + 1.0, id_="absurd")])
    assert sums(detector) == (most, 0.0)
    assert detector.applier.liquidations == 1
    assert detector.view().excluded == {("bybit", "open_interest"): 1}


def test_a_thin_market_whose_only_position_is_closed_is_taken() -> None:
    """Open interest 5,000, liquidation 5,000, open interest 0, and what comes late: nothing is excluded."""
    detector = Detector()
    events = [mark(START, 1.0), interest(START, 5_000.0, 5_000.0), liquidation(START + 5, 5_000.0)]
    detector.apply([*events, interest(START + 9, 0.0, 0.0), liquidation(START + 10, 4_000.0)])
    assert sums(detector) == (9_000.0, 0.0)
    assert not detector.view().excluded


def test_late_reports_are_measured_by_what_was_open_before() -> None:
    """When a cascade has closed nearly all, a report of a large part of the former open interest is still true."""
    detector = Detector()
    minutes = [interest(START + 60 * number, 1e6, 1e8) for number in range(10)]
    detector.apply([*minutes, interest(START + 600, 1e4, 1e6), liquidation(START + 610, 9e7)])
    assert sums(detector) == (9e7, 0.0)
    assert not detector.view().excluded


@pytest.mark.parametrize("known", ["nothing", "another venue", "stale"])
def test_without_a_fresh_open_interest_nothing_is_judged_by_it(known: str) -> None:
    """Another venue's or an old open interest says nothing."""
    detector = Detector()
    if known == "another venue":
        detector.apply([interest(START, 1.0, 100.0, venue="okx")])
    if known == "stale":
        detector.apply([interest(START - LONGEST_S - 1, 1.0, 100.0)])
    detector.apply([liquidation(START, 1e9)])
    assert sums(detector) == (1e9, 0.0)


@pytest.mark.parametrize("factor", [1 / 1_000, 0.99 / PRICE_FACTOR, 1.01 * PRICE_FACTOR, 1_000.0])
def test_a_liquidation_far_from_the_price_is_excluded(factor: float) -> None:
    """Ten times the last price or a tenth of it is the unit's fault, not the market's."""
    detector = Detector()
    detector.apply([mark(START, 100.0), mark(START + 1, 100.0), priced(START + 2, 5e6, 100.0 * factor)])
    assert sums(detector) == (0.0, 0.0)
    assert detector.view().excluded == {("bybit", "price"): 1}


@pytest.mark.parametrize("factor", [1.01 / PRICE_FACTOR, 0.5, 1.0, 2.0, 0.99 * PRICE_FACTOR])
def test_prices_of_crashes_are_taken(factor: float) -> None:
    """Bankruptcy and order prices may lie far from the mark."""
    detector = Detector()
    detector.apply([mark(START, 100.0), mark(START + 1, 100.0), priced(START + 2, 5e6, 100.0 * factor)])
    assert sums(detector) == (5e6, 0.0)


def test_an_old_price_judges_nothing() -> None:
    """After ten minutes without a price the market may be anywhere."""
    detector = Detector()
    late = START + 1 + PRICE_FRESH_S
    detector.apply([mark(START, 100.0), mark(START + 1, 100.0)])
    detector.apply([priced(late, 1.0, 1.0, id="fresh"), priced(late + 2, 1.0, 1.0, id="old")])
    assert sums(detector) == (1.0, 0.0)


def test_hourly_sums_are_not_judged() -> None:
    """An aggregated record stands for many liquidations, which together may exceed what was open at once."""
    detector = Detector()
    detector.apply([interest(START, 1.0, 100.0), liquidation(START, 1e9, coverage="aggregated")])
    assert sums(detector) == (1e9, 0.0)


def test_the_first_of_a_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log names venue, symbol and reason once; the counts go on."""
    detector = Detector()
    detector.apply([interest(START, 1.0, 100.0), *(liquidation(START + at, 1e9) for at in range(5))])
    assert detector.view().excluded == {("bybit", "open_interest"): 5}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "bybit: a liquidation of BTCUSDT of 1000000000 USD" in caplog.text


def test_a_excluded_record_that_comes_twice_counts_once() -> None:
    """Duplicates are dropped before anything is judged."""
    detector = Detector()
    detector.apply([interest(START, 1.0, 100.0), *[liquidation(START, 1e9, id_="same")] * 3])
    assert detector.view().excluded == {("bybit", "open_interest"): 1}
    assert detector.applier.duplicates == {"bybit": 2}


def test_counts_survive_a_restart_and_older_snapshots_have_none() -> None:
    """A snapshot keeps the counts, so that the metric does not begin anew."""
    detector = Detector()
    detector.apply([interest(START, 1.0, 100.0), liquidation(START, 1e9)])
    assert Detector.restore(detector.snapshot()).view().excluded == {("bybit", "open_interest"): 1}


@settings(max_examples=examples(2, 60))
@given(st.lists(st.tuples(st.integers(0, 1_400), st.floats(1e9, 2e10)), max_size=8))
def test_absurd_records_change_no_signal(absurd: list[tuple[int, float]]) -> None:
    """A cascade with impossible records among its own gives the signals of the cascade alone."""
    known = [interest(START + 60 * number, 1e6, 1e8) for number in range(26)]
    real = in_order([*crash(), *known])
    poisoned = in_order([*real, *(liquidation(START + at, usd, id_=f"absurd:{usd}:{at}") for at, usd in absurd)])
    assert encoded(play(poisoned)[1]) == encoded(play(real)[1])


def test_a_liquidation_without_a_price_is_judged_by_the_open_interest_alone() -> None:
    """Most throttled feeds give a price, some give none."""
    detector = Detector()
    event = liquidation(START + 1, 5e6)
    assert event.price is UNSET
    detector.apply([mark(START, 100.0), event])
    assert sums(detector) == (5e6, 0.0)
