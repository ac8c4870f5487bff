"""What a signal is built of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.decide.phases import Episode, PhaseState
from monitor.detect.decide.signal import Totals, episode_id, make_signal, make_summary, severity
from monitor.detect.decide.visibility import Feeds, Visibility
from monitor.detect.score import NOTHING
from monitor.model.events import MICROS, Side
from monitor.model.signals import SideTotals
from tests.detect.decide.made import closed_scope
from tests.detect.scenarios import START

SEEN = Visibility(venues=["okx", "bybit"], feeds=Feeds(["gate"], ["okx"]), window_share=1.0)

liquidations = st.lists(
    st.tuples(st.sampled_from(["long", "short"]), st.integers(0, 10**13), st.booleans()), max_size=20
)


@given(liquidations, liquidations)
def test_totals_since_a_moment_are_those_of_what_came_after(
    before: list[tuple[Side, int, bool]], after: list[tuple[Side, int, bool]]
) -> None:
    """By side and of complete feeds, whatever came before."""
    begun = added(Totals(), before)
    since = added(begun, after).since(begun)
    assert since == Totals(
        long=sum(micros for side, micros, _ in after if side == "long"),
        short=sum(micros for side, micros, _ in after if side == "short"),
        complete=sum(micros for _, micros, complete in after if complete),
    )
    assert 0.0 <= since.complete_share() <= 1.0


def added(totals: Totals, rows: list[tuple[Side, int, bool]]) -> Totals:
    """Return totals with these liquidations in them."""
    for side, micros, complete in rows:
        totals = totals.plus(side, micros, complete=complete)
    return totals


def test_totals_in_dollars() -> None:
    """Micro-USD become USD; a quarter from complete feeds is a quarter, and nothing is no share."""
    totals = Totals(long=3 * MICROS, short=MICROS, complete=MICROS)
    assert (totals.usd(), totals.complete_share()) == (SideTotals(3.0, 1.0), 0.25)
    assert Totals().complete_share() == 0.0


@pytest.mark.parametrize(("peak", "expected"), [(60.0, 1), (74.99, 1), (75.0, 2), (90.0, 3)])
def test_severity_goes_by_the_worst_score(peak: float, expected: int) -> None:
    """From 75 points on it is severe, from 90 on extreme; without an episode it is 1."""
    assert severity(Episode(START, peak_score=peak)) == expected
    assert severity(None) == 1


def test_a_signal_counts_its_episodes_revisions_and_measures_from_its_reference() -> None:
    """Each signal is one revision; the drawdown is the price's from where the move began, percent."""
    facts = closed_scope(usd=1e6, prices=(100.0, 97.0)).facts()
    state = PhaseState(phase="cascade", previous="building", reference=-100.0, episode=Episode(START - 5, waves=1))
    first, second = (
        make_signal(facts, "long", state, NOTHING, changed=changed, liquidated=Totals(long=MICROS), visibility=SEEN)
        for changed in (True, False)
    )
    assert (first.revision, second.revision) == (1, 2)
    assert (first.previous_phase, second.previous_phase) == ("building", "cascade")
    assert first.episode_id == episode_id("BTC", "long", START - 5)
    assert (first.drawdown_pct, first.wave) == (-3.0, 1)
    assert (first.coverage.venues_seen, first.coverage.venues_in_gap) == (["bybit", "gate", "okx"], ["okx"])


def test_a_gap_in_the_last_minutes_is_noted_and_degrades() -> None:
    """A venue with a gap is named beside those that are silent, with the share of the flow that is missing."""
    facts = closed_scope(usd=1e6).facts()
    state = PhaseState(phase="building", episode=Episode(START))
    gapped = SEEN._replace(feeds=Feeds(["gate"], ["okx"], ["bybit"]), window_share=0.4)
    signal = make_signal(facts, "long", state, NOTHING, changed=False, liquidated=Totals(), visibility=gapped)
    assert signal.degraded
    assert signal.coverage.venues_in_gap == ["bybit", "okx"]
    assert "gap: feeds with 60% of the flow have a gap in the last five minutes" in signal.notes


def test_a_summary_has_no_time_of_what_was_not_reached() -> None:
    """Times are ends of seconds, None before they come."""
    state = PhaseState(phase="cascade", episode=Episode(START, cascade=START + 4, peak_score=80.0))
    found = make_summary("BTC", "long", state, Totals(long=2 * MICROS))
    assert (found.started_us, found.cascade_us) == ((START + 1) * MICROS, (START + 5) * MICROS)
    assert (found.peak_us, found.relief_us, found.ended_us) == (None, None, None)
    assert found.liquidated_usd == SideTotals(2.0, 0.0)
