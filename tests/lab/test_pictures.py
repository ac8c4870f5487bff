from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from monitor.lab.pictures import PICTURE, PICTURED, Episode, phase_spans, simulate, write
from monitor.model.signals import (
    Phase,
    SideTotals,
    Signal,
    SignalCoverage,
)
from tests.paths import ROOT


@pytest.fixture(scope="module")
def episode() -> Episode:
    """The cascade of the README's picture."""
    return simulate(PICTURED)


def signal(phase: Phase) -> Signal:
    """A signal of a phase; nothing else of it matters here."""
    return Signal(
        episode_id="BTC-long-1",
        revision=1,
        asset="BTC",
        phase=phase,
        previous_phase=phase,
        direction="long",
        risk_score=0.0,
        event_time_us=0,
        emitted_time_us=0,
        started_us=0,
        price=None,
        drawdown_pct=0.0,
        liquidated_usd=SideTotals(0.0, 0.0),
        windows={},
        evidence=[],
        coverage=SignalCoverage([], [], 0.0),
    )


@pytest.mark.deep("simulates two days of a market for the README's picture")
def test_the_same_cascade_gives_the_same_bytes(episode: Episode, tmp_path: Path) -> None:
    """Neither a date nor a random name is in the file, so it changes with the code only."""
    write(episode, tmp_path / "one" / "cascade.svg")
    write(episode, tmp_path / "other.svg")
    drawn = (tmp_path / "other.svg").read_bytes()
    assert (tmp_path / "one" / "cascade.svg").read_bytes() == drawn
    assert ElementTree.fromstring(drawn).tag.endswith("svg")  # noqa: S314  # our own file


@pytest.mark.deep("simulates two days of a market for the README's picture")
def test_the_picture_shows_a_whole_cascade(episode: Episode) -> None:
    """It is called while most forced orders are still to come, and ends in relief within the time that is drawn."""
    course = episode.course
    phases = [phase for _, _, phase in phase_spans(episode.minutes, episode.signals)]
    assert phases[-2:] == ["cascade", "relief"]
    assert course.forced[: course.called].sum() < course.forced.sum() / 2
    assert 0 < course.shown.sum() < course.forced.sum()
    assert course.price.min() < course.outside.min()
    assert (ROOT / PICTURE).stat().st_size > 0


def test_a_market_without_a_cascade_is_refused() -> None:
    """A calm market has nothing to show; the message names its seed."""
    with pytest.raises(ValueError, match="seed 1: the market has no cascade of longs"):
        simulate(msgspec.structs.replace(PICTURED, seed=1, days=0.1, shocks=0.0))


def test_a_phase_ends_where_the_next_begins() -> None:
    """Spans follow one another without a hole, and calm is none."""
    phases: tuple[Phase, ...] = ("building", "building", "cascade", "relief", "calm")
    signals = [signal(phase) for phase in phases]
    spans = phase_spans([0.0, 1.0, 2.0, 5.0, 9.0], signals)
    assert spans == [(0.0, 2.0, "building"), (2.0, 5.0, "cascade"), (5.0, 9.0, "relief")]
