"""What can be seen of the forced flow."""

from __future__ import annotations

from monitor.detect.decide.visibility import DEAD_ORDERS, DEAD_S, UNSEEN_S, Feeds, coverage, is_unseen
from monitor.model.events import MICROS, AnyEvent, Heartbeat
from tests.detect.scenarios import BRISK, START, burst, crash, in_order, liquidation, mark, play, ramp, turns


def test_venues_weigh_as_much_as_their_open_interest() -> None:
    """By open interest where every venue has one; all the same where one lacks it."""
    venues = {"bybit", "okx", "gate"}
    interest = {"bybit": 6.0, "okx": 3.0, "gate": 1.0}
    assert coverage(venues, ["okx"], interest, unwatched=False, dead=False) == 0.7
    assert coverage(venues, ["okx"], {"bybit": 6.0}, unwatched=False, dead=False) == 2 / 3
    assert coverage(venues, [], {}, unwatched=False, dead=True) == 0.0
    assert coverage((), [], {}, unwatched=False, dead=False) == 1.0


def beats(venue: str, seconds: range) -> list[AnyEvent]:
    """A heartbeat a second on a venue's liquidation channel."""
    return [Heartbeat(venue, "*", "*", at * MICROS, at * MICROS, "liquidations") for at in seconds]


def test_a_signal_says_degraded_while_feeds_are_down() -> None:
    """Two of three venues fall silent before the crash: a third is seen, the note and the field say so."""
    events = [
        *crash(),
        *burst(START, 1, 10.0, venues=("gate",)),
        *beats("okx", range(START, START + 590)),
        *beats("gate", range(START, START + 590)),
        *beats("bybit", range(START, START + 1_500)),
    ]
    _, signals = play(in_order(events), BRISK)
    mine = [signal for signal in signals if signal.asset == "BTC"]
    assert {signal.degraded for signal in mine} == {True}
    assert {signal.coverage.seen_share for signal in mine} == {0.3333}
    assert any(note.startswith("degraded: feeds with 67%") for note in mine[0].notes)
    assert "cascade" in [signal.phase for signal in turns(signals)]


def test_unseen_means_no_heartbeat_and_neither_price_nor_order() -> None:
    """One venue that beats, a price or a liquidation within five seconds is enough to see; so is a tape without any."""
    silent, half, tape = Feeds(["okx", "gate"], ["gate", "okx"]), Feeds(["okx", "gate"], ["okx"]), Feeds([], [])
    at = START + UNSEEN_S + 1
    assert is_unseen(silent, at, START)
    assert not is_unseen(silent, at - 1, START)
    assert not is_unseen(silent, at, START + 1)
    assert not is_unseen(half, at, 0)
    assert not is_unseen(tape, at, 0)


def test_an_unseen_hour_teaches_nothing_and_begins_nothing() -> None:
    """After an hour without a record the baseline has learned no minute of it, and the market is as calm as before."""
    calm = [
        *ramp(START, 1_200, 100.0, 100.0),
        *burst(START, 1_200, 1_000.0),
        *beats("bybit", range(START, START + 1_200)),
    ]
    before, _ = play(in_order(calm), BRISK, START + 1_200)
    later = START + 1_200 + 3_600
    detector, signals = play(
        in_order([*calm, mark(later, 90.0), *beats("bybit", range(later, later + 1))]), BRISK, later
    )
    flow = detector.assets["BTC"].scope.flow
    assert flow.learned_minutes == before.assets["BTC"].scope.flow.learned_minutes
    assert signals == []


def test_a_tape_that_ended_is_no_calm() -> None:
    """A busy tape without heartbeats that stops: half an hour later its silence no longer says that nothing happens."""
    tape = [liquidation(START + 20 * at, 5_000.0, id_=f"{at}") for at in range(1_500)]
    ended = START + 20 * 1_500
    later = ended + DEAD_S + 600
    prices = ramp(START, later - START, 100.0, 100.0, step=30)
    detector, _ = play(in_order([*tape, *prices, mark(later, 99.0)]), BRISK)
    asset = detector.assets["BTC"]
    assert asset.scope.flow.expected_orders(later) > DEAD_ORDERS
    assert asset.scope.is_price_only
