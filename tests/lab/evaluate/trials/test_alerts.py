from __future__ import annotations

import gc

import pytest

from monitor.detect.detector import Detector
from monitor.lab.evaluate.markets.tape import AssetSide
from monitor.lab.evaluate.trials.alerts import Alert, SignalLog, run_detector, select_alerts
from monitor.model.events import MICROS, AnyEvent
from monitor.model.signals import (
    Phase,
    SideTotals,
    Signal,
    SignalCoverage,
)
from tests.lab.evaluate.tapes import START, fall, forced

BTC = AssetSide("BTC", "long")


def signal(second: int, before: Phase, after: Phase, score: float = 50.0, episode: str = "one") -> Signal:
    return Signal(
        episode,
        1,
        *BTC[:1],
        after,
        before,
        BTC.direction,
        score,
        (START + second) * MICROS,
        0,
        START * MICROS,
        100.0,
        -1.0,
        SideTotals(1.0, 0.0),
        {},
        [],
        SignalCoverage([], [], 1.0),
    )


def story() -> SignalLog:
    """Return signals of a cascade with a second wave after ten minutes, then of a building alone."""
    log = SignalLog(trace=True)
    log.add(
        [
            signal(0, "calm", "building"),
            signal(5, "building", "building", 55.0),
            signal(10, "building", "cascade", 70.0),
            signal(600, "cascade", "relief"),
            signal(1_200, "relief", "cascade"),
            signal(1_800, "cascade", "relief"),
            signal(3_700, "relief", "calm", 5.0),
            signal(9_000, "calm", "building", 40.0, "two"),
        ]
    )
    return log


def at(second: int) -> int:
    return (START + second) * MICROS


def test_every_entry_of_a_cascade_is_an_alert() -> None:
    """Every entry of the phase cascade is an alert, which lasts until the phase is left."""
    assert story().alerts() == [Alert(*BTC, at(10), at(600)), Alert(*BTC, at(1_200), at(1_800))]


def test_building_may_count_as_the_alert() -> None:
    """With the trigger building an alert begins with the first change from calm; one active at the end has no end."""
    assert story().alerts("building") == [
        Alert(*BTC, at(0), at(600)),
        Alert(*BTC, at(1_200), at(1_800)),
        Alert(*BTC, at(9_000)),
    ]


def test_a_relief_is_too_early_if_a_cascade_comes_again_within_half_an_hour() -> None:
    """A relief was early if a cascade came again within half an hour."""
    assert story().reliefs() == [(BTC, at(600), True), (BTC, at(1_800), False)]


def test_changes_are_counted_for_episodes_that_became_a_cascade() -> None:
    """Changes of phase are counted for episodes that became a cascade only."""
    assert story().changes_per_episode() == [6]


def test_the_last_score_of_each_minute_is_kept() -> None:
    """The last score of each minute is kept, and scores by second for plots only."""
    log = story()
    assert log.score_by_minute[BTC][START // 60] == 70.0
    assert log.trace is not None
    assert len(log.trace[BTC]) == 8
    assert SignalLog().trace is None


def test_the_markets_alerts_are_selected_apart() -> None:
    """Alerts of the market are selected apart from those of its assets."""
    alerts = [Alert("MARKET", "long", 1), Alert("BTC", "long", 2)]
    assert select_alerts(alerts, market=True) == alerts[:1]
    assert select_alerts(alerts, market=False) == alerts[1:]


def test_a_run_in_two_parts_is_a_run() -> None:
    """A run in two parts, also from a snapshot between them, gives the same signals."""
    flow = [forced(1_800 + second, 400_000.0) for second in range(0, 600, 5)]
    together: list[AnyEvent] = [*fall(1, at=1_800), *flow]
    events = sorted(together, key=lambda event: event.event_time_us)
    whole, parts = SignalLog(), SignalLog()
    run_detector(Detector(), events, whole)
    first = Detector()
    run_detector(first, events[:250], parts, to_the_end=False)
    run_detector(Detector.restore(first.snapshot()), events[250:], parts)
    assert whole.changes == parts.changes
    assert whole.changes


def test_a_run_makes_no_cycles_and_leaves_the_collector_on() -> None:
    """A run leaves no garbage in cycles and turns the collector on again, even if it fails."""
    detector, log = Detector(), SignalLog()
    gc.collect()
    run_detector(detector, fall(), log)
    assert gc.isenabled()
    assert gc.collect() == 0
    with pytest.raises(AttributeError):
        run_detector(detector, [None], log)  # type: ignore[list-item]
    assert gc.isenabled()
