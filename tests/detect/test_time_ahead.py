"""The detector against times from the future: what was measured on the product, and that nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from monitor.detect.decide.signal import Totals
from monitor.detect.detector import Detector
from monitor.detect.quarantine import STEPPED_BACK
from monitor.model.events import ALL, MICROS, AnyEvent, Heartbeat
from tests.detect.scenarios import BRISK, START, crash, encoded, in_order, liquidation, mark, play

HOUR = 3_600


def beat(at: int, venue: str = "bybit") -> Heartbeat:
    """A heartbeat of that second."""
    return Heartbeat(venue, ALL, ALL, at * MICROS, at * MICROS, "liquidations")


def with_beats(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """The events with a heartbeat of both venues each second."""
    last = events[-1].receive_time_us // MICROS
    beats = [beat(at, venue) for at in range(START, last + 1) for venue in ("bybit", "okx")]
    return in_order([*beats, *events])


@pytest.mark.parametrize("ahead", [60, 2 * HOUR, 40 * 86_400])
def test_one_heartbeat_ahead_before_a_cascade_changes_no_signal(ahead: int) -> None:
    """The detector was blind for as long as the heartbeat was ahead."""
    events = with_beats(crash())
    _, expected = play(events, BRISK)
    assert expected
    at = 500 * len(events) // 1_500
    detector, signals = play([*events[:at], beat(START + 500 + ahead), *events[at:]], BRISK)
    assert encoded(signals) == encoded(expected)
    assert detector.view().ahead.placed == {"bybit": 1}


def test_a_clock_that_is_an_hour_ahead_for_eight_seconds_freezes_nothing() -> None:
    """All stamps of one machine are wrong; the exchanges' times go on, and so do sums and signals."""
    events = with_beats(crash())
    first, last = START + 640, START + 648
    wrong: list[AnyEvent] = []
    for event in events:
        if first <= event.receive_time_us // MICROS < last:
            event = replace(event, receive_time_us=event.receive_time_us + HOUR * MICROS)
            if isinstance(event, Heartbeat):
                event = replace(event, event_time_us=event.receive_time_us)
        wrong.append(event)
    detector, signals = play(wrong, BRISK)
    true, expected = play(events, BRISK)
    assert detector.second == true.second
    assert detector.assets["BTC"].scope.state.totals == true.assets["BTC"].scope.state.totals
    assert [s.phase for s in signals if s.phase != s.previous_phase] == [
        s.phase for s in expected if s.phase != s.previous_phase
    ]
    assert abs(len(signals) - len(expected)) <= 16
    assert detector.steps_back == 0


def test_a_restart_among_wrong_stamps_gives_the_same_bytes() -> None:
    """What is held is part of the snapshot."""
    rng = random.Random(3)
    events = with_beats(crash())
    for _ in range(40):
        at = rng.randrange(len(events))
        ahead = rng.choice([11, HOUR, 40 * 86_400])
        second = events[at].receive_time_us // MICROS + ahead
        poison: AnyEvent = beat(second, "okx")
        if rng.random() < 0.5:
            poison = liquidation(second, 9_999.0, venue="okx", id_=f"poison:{at}")
        events.insert(at, poison)
    _, expected = play(events, BRISK)
    detector, signals = Detector(BRISK), []
    cuts = sorted(rng.randrange(len(events)) for _ in range(12))
    for start, stop in zip([0, *cuts], [*cuts, len(events)], strict=True):
        signals += detector.apply(events[start:stop])
        detector = Detector.restore(detector.snapshot(), BRISK)
    signals += detector.advance(detector.second + 1)
    assert encoded(signals) == encoded(expected)
    assert expected


def test_a_recording_goes_on_after_hours_of_silence() -> None:
    """A silence of every venue is no wrong clock: nothing of what follows is refused."""
    later = crash(START + 5 * HOUR)
    detector, signals = play(with_beats(crash()) + later, BRISK)
    assert {s.started_us // MICROS > START + 4 * HOUR for s in signals} == {False, True}
    view = detector.view().ahead
    assert (dict(view.refused), view.steps_back) == ({}, 0)


def test_stored_state_that_lies_in_the_future_recovers() -> None:
    """A state file written by a clock that was forty days ahead: a cascade of the present is signalled."""
    ahead = START + 40 * 86_400
    detector, _ = play([mark(ahead, 100.0), liquidation(ahead, 5_000.0), beat(ahead)], BRISK)
    again = Detector.restore(detector.snapshot(), BRISK)
    signals = again.apply(with_beats(crash()))
    assert {"cascade", "relief"} <= {signal.phase for signal in signals}
    assert again.steps_back == 1
    assert START + 1_400 < again.second <= START + 1_500


def test_a_step_back_leaves_what_was_not_judged_since() -> None:
    """An asset that was quiet while the clock was wrong keeps its state; one that was opened begins anew."""
    present = START + 40 * 86_400
    detector, _ = play([liquidation(START, 1_000.0, asset="ETH")], BRISK, until=present)
    detector.apply([liquidation(present + HOUR, 1_000.0)])
    detector.step_back(present)
    assert detector.assets["ETH"].scope.state.totals == Totals(long=10**9, complete=10**9)
    assert detector.assets["BTC"].scope.state.totals == Totals()
    assert detector.second == present


def test_a_step_back_ends_the_episodes_that_it_drops() -> None:
    """An incident that is open is resolved by a signal that says why, and the episodes before are still known."""
    detector = Detector(BRISK)
    detector.apply([event for event in with_beats(crash()) if event.receive_time_us < (START + 660) * MICROS])
    running = [episode for episode in detector.episodes() if episode.ended_us is None]
    assert running
    signals = detector.step_back(START + 100)
    assert {signal.episode_id for signal in signals} == {episode.episode_id for episode in running}
    assert {(signal.phase, *signal.notes) for signal in signals} == {("calm", STEPPED_BACK)}
