from __future__ import annotations

import gc

import pytest

from monitor.cascade.detector import Detector
from monitor.evaluate.trials.alerts import Alert, Key, Watch, of_assets, run
from monitor.events import MICROS, AnyEvent, Phase, SideTotals, Signal, SignalCoverage
from tests.evaluate.tapes import START, fall, forced

BTC = Key("BTC", "long")


def signal(second: int, before: Phase, after: Phase, score: float = 50.0, episode: str = "one") -> Signal:
    return Signal(
        episode, 1, *BTC[:1], after, before, BTC.direction, score, (START + second) * MICROS, 0, START * MICROS, 100.0,
        -1.0, SideTotals(1.0, 0.0), {}, [], SignalCoverage([], [], 1.0),
    )  # fmt: skip


def story() -> Watch:
    """Building, cascade, relief, a second wave after ten minutes, relief, calm; then a building of nothing."""
    watch = Watch(trace=True)
    watch.take([
        signal(0, "calm", "building"), signal(5, "building", "building", 55.0), signal(10, "building", "cascade", 70.0),
        signal(600, "cascade", "relief"), signal(1_200, "relief", "cascade"), signal(1_800, "cascade", "relief"),
        signal(3_700, "relief", "calm", 5.0), signal(9_000, "calm", "building", 40.0, "two"),
    ])  # fmt: skip
    return watch


def at(second: int) -> int:
    return (START + second) * MICROS


def test_every_entry_of_a_cascade_is_an_alert() -> None:
    """A second wave is one more; each lasts until the phase is left."""
    assert story().alerts() == [Alert(*BTC, at(10), at(600)), Alert(*BTC, at(1_200), at(1_800))]


def test_building_may_count_as_the_alert() -> None:
    """Then an alert begins with the first sign, and one that is still up at the end has no end."""
    assert story().alerts("building") == [
        Alert(*BTC, at(0), at(600)), Alert(*BTC, at(1_200), at(1_800)), Alert(*BTC, at(9_000)),
    ]  # fmt: skip


def test_a_relief_is_too_early_if_a_cascade_comes_again_within_half_an_hour() -> None:
    """The first one was, the second one was not."""
    assert story().reliefs() == [(BTC, at(600), True), (BTC, at(1_800), False)]


def test_changes_are_counted_for_episodes_that_became_a_cascade() -> None:
    """The one that only built is left out."""
    assert story().changes_per_episode() == [6]


def test_the_last_score_of_each_minute_is_kept() -> None:
    """Seconds are kept for plots alone."""
    watch = story()
    assert watch.minutes[BTC][START // 60] == 70.0
    assert watch.trace is not None
    assert len(watch.trace[BTC]) == 8
    assert Watch().trace is None


def test_the_markets_alerts_are_told_from_its_assets() -> None:
    """They are judged apart."""
    alerts = [Alert("MARKET", "long", 1), Alert("BTC", "long", 2)]
    assert of_assets(alerts, market=True) == alerts[:1]
    assert of_assets(alerts, market=False) == alerts[1:]


def test_a_run_in_two_parts_is_a_run() -> None:
    """The same signals, also from a snapshot between the parts."""
    flow = [forced(1_800 + second, 400_000.0) for second in range(0, 600, 5)]
    together: list[AnyEvent] = [*fall(1, at=1_800), *flow]
    events = sorted(together, key=lambda event: event.event_time_us)
    whole, parts = Watch(), Watch()
    run(Detector(), events, whole)
    first = Detector()
    run(first, events[:250], parts, to_the_end=False)
    run(Detector.restore(first.snapshot()), events[250:], parts)
    assert whole.changes == parts.changes
    assert whole.changes


def test_a_run_makes_no_cycles_and_leaves_the_collector_on() -> None:
    """Nothing waits for the collector afterwards, so a run may do without it; also one that fails turns it on again."""
    detector, watch = Detector(), Watch()
    gc.collect()
    run(detector, fall(), watch)
    assert gc.isenabled()
    assert gc.collect() == 0
    with pytest.raises(AttributeError):
        run(detector, [None], watch)  # type: ignore[list-item]
    assert gc.isenabled()
