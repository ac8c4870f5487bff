"""What is called where no liquidations can be seen: the price alone, or with what stands for the flow."""

from __future__ import annotations

import math
from functools import cache

from monitor.detect.detector import Detector
from monitor.model.events import MICROS, AnyEvent
from monitor.model.signals import Signal
from tests.detect.scenarios import START, in_order, interest, mark, play, turns

DAY_S = 86_400
BEGIN = START - START % DAY_S
NOW = BEGIN + 3 * DAY_S + 12 * 3_600


def calm(coins: float | None = None) -> list[AnyEvent]:
    """Three days and a half of a mark every five minutes that swings by 0.1 %: 1.8 % a day are usual."""
    marks: list[AnyEvent] = [mark(at, 100.0 + 0.1 * (at // 300 % 2)) for at in range(BEGIN, NOW, 300)]
    if coins is None:
        return marks
    return in_order([*marks, *(interest(at, coins, coins * 100.0) for at in range(BEGIN, NOW, 300))])


@cache
def calm_state(coins: float | None = None) -> bytes:
    """Return the snapshot of a detector that has seen the calm, which takes far longer than what follows."""
    detector = Detector()
    assert not detector.apply(calm(coins))
    return detector.snapshot()


def play_on(events: list[AnyEvent], coins: float | None = None) -> tuple[Detector, list[Signal]]:
    """Return a detector that took these after the calm, and its signals."""
    detector = Detector.restore(calm_state(coins))
    signals = detector.apply(events)
    return detector, signals + detector.advance(detector.second + 1)


def path(*prices: float, step: int = 60) -> list[AnyEvent]:
    """Marks from now on."""
    return [mark(NOW + step * at, price) for at, price in enumerate(prices)]


def line(first: float, last: float, steps: int) -> list[float]:
    """Prices on a straight line, the first left out."""
    return [first + (last - first) * (at + 1) / steps for at in range(steps)]


def cascades(signals: list[Signal], side: str = "long") -> list[tuple[int, int]]:
    """Minutes from now on, and waves, of the calls of one side."""
    return [
        ((signal.event_time_us // MICROS - NOW) // 60, signal.wave)
        for signal in signals
        if (signal.asset, signal.direction, signal.phase) == ("BTC", side, "cascade")
        and signal.phase != signal.previous_phase
    ]


def test_a_slow_fall_is_called_by_what_is_usual_for_the_asset() -> None:
    """Four percent over an hour are two usual days' deviations: a cascade. Two percent are not, and build."""
    for depth, called in ((96.0, True), (98.0, False)):
        detector, signals = play_on(path(*line(100.0, depth, 60)))
        assert 0.016 < detector.assets["BTC"].scope.price.usual.value < 0.022
        assert bool(cascades(signals)) == called
        assert "building" in [signal.phase for signal in signals if signal.direction == "long"]
    assert {signal.reason for signal in signals} == {"price_only"}


def test_a_rebound_is_none_but_a_severe_one_is() -> None:
    """After a crash of ten percent a rise of three is not called, one of eight is."""
    crash = line(100.0, 90.0, 20)
    _, signals = play_on(path(*crash, *line(90.0, 92.7, 40)))
    assert cascades(signals)
    assert not cascades(signals, "short")
    _, signals = play_on(path(*crash, *line(90.0, 97.2, 40)))
    assert len(cascades(signals, "short")) == 1


def test_a_new_low_after_relief_is_a_new_wave() -> None:
    """An hour after a crash that came back by half the price falls further by four percent: wave 2, one episode."""
    first = [*line(100.0, 94.0, 20), *line(94.0, 95.5, 10), *[95.5] * 30]
    _, signals = play_on(path(*first, *line(95.5, 90.0, 20)))
    called = cascades(signals)
    assert [wave for _, wave in called] == [1, 2]
    assert called[0][0] < 20 < 60 < called[1][0]
    assert len({signal.episode_id for signal in turns(signals) if signal.phase == "cascade"}) == 1


def test_coins_that_are_gone_stand_for_the_flow() -> None:
    """Beside a fall of 2.4 %, too little alone, 5 % fewer coins are a cascade, told as such and counted once."""
    falling = path(*line(100.0, 97.6, 30))
    polls = [interest(NOW + at, 1_000.0 - 50.0 * at / 1_800, 97_000.0) for at in range(0, 1_801, 300)]
    same = [interest(NOW + at, 1_000.0, 98_000.0) for at in range(0, 1_801, 300)]
    _, alone = play_on([*falling, *same], 1_000.0)
    assert not cascades(alone)
    _, signals = play_on(in_order([*falling, *polls]), 1_000.0)
    called = next(signal for signal in turns(signals) if signal.phase == "cascade")
    assert (called.reason, called.degraded) == ("flow_and_price", True)
    assert any(note.startswith("stand_in") for note in called.notes)
    features = [one.feature for one in called.evidence]
    assert any(feature.startswith("implied_closed_usd") for feature in features)
    assert not any(feature.startswith("open_interest_drop") for feature in features)
    assert round(math.fsum(one.contribution for one in called.evidence), 2) == called.risk_score


def test_a_restart_in_the_middle_changes_nothing() -> None:
    """The usual volatility and what can be seen are in the snapshot."""
    events = [*calm(), *path(*line(100.0, 95.0, 40))]
    whole, signals = play(events)
    first = Detector()
    before = first.apply(events[:-30])
    second = Detector.restore(first.snapshot())
    after = second.apply(events[-30:]) + second.advance(second.second + 1)
    assert before + after == signals
    assert second.snapshot() == whole.snapshot()
