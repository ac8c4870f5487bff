"""Tests the watermark: clocks that run ahead, real gaps, restarts, and a watermark in the future."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.events import ALL, MICROS, AnyEvent, Gap, Heartbeat, Trade
from monitor.model.watermark import HELD_RECORDS, HELD_US, SUPPORT_US, Placed, Watermark, WatermarkState

START = 1_700_000_000
HOUR = 3_600
TOLERANCE, CONFIRM = 10, 15


def new(state: WatermarkState | None = None) -> Watermark:
    """Return a watermark with the default tolerance and confirmation time."""
    return Watermark(TOLERANCE * MICROS, CONFIRM * MICROS, state)


def beat(arrived: float, venue: str = "bybit") -> Heartbeat:
    """Return a heartbeat, whose times are from the clock of the collector."""
    at_us = round(arrived * MICROS)
    return Heartbeat(venue, ALL, ALL, at_us, at_us, "liquidations")


def trade(at: float, arrived: float | None = None, venue: str = "bybit") -> Trade:
    """Return a trade with the event time ``at``."""
    arrived_us = round((at if arrived is None else arrived) * MICROS)
    return Trade(venue, "BTCUSDT", "BTC", round(at * MICROS), arrived_us, "buy", 1.0, 1.0, 1.0, 1, f"{at} {arrived}")


def take(watermark: Watermark, records: Sequence[AnyEvent]) -> list[Placed]:
    """Return all records that take effect."""
    return [placed for record in records for placed in watermark.take(record)]


def seconds(placed: Sequence[Placed]) -> list[int]:
    """Return the seconds after the start at which records take effect."""
    return [each.at_us // MICROS - START for each in placed]


def test_arrivals_within_the_tolerance_move_it_and_never_back() -> None:
    """The watermark is the latest arrival time; a record that arrives earlier takes effect at the watermark."""
    watermark = new()
    placed = take(watermark, [trade(START), trade(START + 10), trade(START + 3)])
    assert seconds(placed) == [0, 10, 10]


@pytest.mark.parametrize("ahead", [11, 2 * HOUR, 40 * 86_400])
def test_one_heartbeat_ahead_does_not_move_it(ahead: int) -> None:
    """A heartbeat ahead takes effect at the watermark when another record contradicts it, and is counted."""
    watermark = new()
    placed = take(watermark, [beat(START), beat(START + ahead), trade(START + 1), beat(START + 2)])
    assert seconds(placed) == [0, 0, 1, 2]
    assert (watermark.placed_ahead, watermark.refused) == ({"bybit": 1}, {})
    assert watermark.distances_s() == {"bybit": ahead}


def test_an_exchange_that_dates_to_the_present_contradicts_the_stamp() -> None:
    """If all arrival times are an hour ahead for eight seconds, trades take effect at their event times."""
    watermark = new()
    wrong = [trade(START + at, START + at + HOUR) for at in range(1, 9)]
    beats = [beat(START + at + HOUR) for at in range(1, 9)]
    mixed = [each for pair in zip(beats, wrong, strict=True) for each in pair]
    placed = take(watermark, [trade(START), *mixed, trade(START + 9)])
    assert [second for second, each in zip(seconds(placed), placed, strict=True) if type(each.record) is Trade] == [
        *range(10)
    ]
    assert len(placed) == 18


def test_a_silence_is_believed_when_a_majority_shows_it() -> None:
    """After an hour without any record the first of three venues is held until the second confirms it."""
    watermark = new()
    take(watermark, [trade(START, venue=venue) for venue in ("a", "b", "c")])
    assert watermark.take(trade(START + HOUR, venue="a")) == []
    placed = take(watermark, [trade(START + HOUR + 2, venue="b"), trade(START + HOUR + 3, venue="c")])
    assert seconds(placed) == [HOUR, HOUR + 2, HOUR + 3]
    assert watermark.refused == watermark.placed_ahead == {}


def test_the_only_exchange_confirms_itself() -> None:
    """With one venue whose event and arrival times agree, a recording continues after a gap at once."""
    watermark = new()
    assert seconds(take(watermark, [trade(START), trade(START + HOUR), trade(START + HOUR)])) == [0, HOUR, HOUR]


def test_heartbeats_alone_are_believed_once_they_go_on() -> None:
    """Heartbeats ahead that nothing contradicts for the confirmation time take effect at their arrival times."""
    watermark = new()
    beats = [beat(START), *(beat(START + HOUR + at) for at in range(CONFIRM + 1))]
    assert seconds(take(watermark, beats[:-1])) == [0]
    assert seconds(watermark.take(beats[-1])) == [HOUR + at for at in range(CONFIRM + 1)]


def test_records_minutes_apart_are_believed_after_as_many_of_them() -> None:
    """A recording with a row a minute continues after other venues stopped, because each row counts for a second."""
    watermark = new()
    take(watermark, [trade(START, venue=venue) for venue in ("a", "b", "c")])
    minutes = [trade(START + 60 * minute, venue="a") for minute in range(1, 30)]
    assert take(watermark, minutes[:CONFIRM]) == []
    assert seconds(take(watermark, minutes[CONFIRM:])) == [60 * minute for minute in range(1, 30)]


def test_the_nearest_of_several_clocks_is_examined_first() -> None:
    """A single record forty days ahead does not move the watermark to its time."""
    watermark = new()
    take(watermark, [beat(START)])
    placed = take(watermark, [beat(START + 40 * 86_400), *(beat(START + HOUR + at) for at in range(CONFIRM + 1))])
    assert watermark.reached_us == (START + HOUR + CONFIRM) * MICROS
    assert len(placed) == CONFIRM + 1


def test_a_minority_is_refused_after_a_while() -> None:
    """If one of three venues has event times an hour ahead, its records are held and then refused."""
    watermark = new()
    take(watermark, [trade(START, venue=venue) for venue in ("a", "b", "c")])
    assert watermark.take(trade(START + HOUR, venue="c")) == []
    after = [trade(START + at, venue=venue) for at in range(1, 70) for venue in ("a", "b")]
    assert len(take(watermark, after)) == len(after)
    assert watermark.refused == {"c": 1}
    assert watermark.state().held == ()


def test_what_is_held_is_bounded() -> None:
    """Beyond the limit of held records a record is refused at once and counted."""
    watermark = new()
    take(watermark, [trade(START, venue=venue) for venue in ("a", "b", "c")])
    flood = [trade(START + HOUR, venue="c")] * (HELD_RECORDS + 5)
    assert take(watermark, flood) == []
    assert (len(watermark.state().held), watermark.refused) == (HELD_RECORDS, {"c": 5})


def test_a_first_record_from_the_future_is_stepped_back_from() -> None:
    """A watermark in the future without support steps back after the confirmation time."""
    watermark = new()
    placed = take(watermark, [beat(START + 40 * 86_400), *(trade(START + at) for at in range(CONFIRM + 5))])
    assert seconds(placed)[-5:] == [15, 16, 17, 18, 19]
    assert watermark.steps_back == 1


def test_a_backlog_does_not_step_it_back() -> None:
    """Ten minutes of old records after an interruption do not set back a watermark that has moved for an hour."""
    watermark = new()
    take(watermark, [beat(START + at) for at in range(HOUR)])
    placed = take(watermark, [beat(START + HOUR - 600 + at, "okx") for at in range(600)])
    assert watermark.steps_back == 0
    assert set(seconds(placed)) == {HOUR - 1}


def test_a_future_that_was_supported_for_long_is_stepped_back_from_after_the_longest_backlog() -> None:
    """After any duration of a wrong clock, the watermark steps back to the right one within sixteen minutes."""
    watermark = new()
    take(watermark, [beat(START + HOUR + at) for at in range(2 * HOUR)])
    take(watermark, [beat(START + at) for at in range(SUPPORT_US // MICROS + CONFIRM + 1)])
    assert watermark.steps_back == 1
    assert watermark.reached_us == (START + SUPPORT_US // MICROS + CONFIRM) * MICROS


def streams() -> st.SearchStrategy[list[AnyEvent]]:
    """Generate records of three venues with steps, gaps, clocks that are ahead, and old records."""
    offset = st.sampled_from([0, 0, 0, 0, 0, 0, -5, 8, 20, -30, HOUR, 40 * 86_400])
    row = st.tuples(st.sampled_from([0, 0.1, 1, 1, 5, 12, 70]), offset, offset, st.sampled_from("abc"), st.booleans())

    def build(rows: list[tuple[float, int, int, str, bool]]) -> list[AnyEvent]:
        at, found = float(START), list[AnyEvent]()
        for index, (ticks, stamped, dated, venue, is_beat) in enumerate(rows):
            at += ticks
            record = beat(at + stamped, venue) if is_beat else trade(at + dated, at + stamped, venue)
            found.append(msgspec.structs.replace(record, symbol=str(index)))
        return found

    return st.lists(row, max_size=60).map(build)


@given(streams(), st.data())
def test_a_restart_anywhere_changes_nothing(records: list[AnyEvent], data: st.DataObject) -> None:
    """A watermark restored from its encoded state continues exactly as the original does."""
    cut = data.draw(st.integers(0, len(records)))
    whole = take(new(), records)
    first = new()
    before = take(first, records[:cut])
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.state()), type=WatermarkState)
    assert before + take(new(kept), records[cut:]) == whole


@given(streams())
def test_every_record_is_placed_held_or_refused_once(records: list[AnyEvent]) -> None:
    """Every record takes effect once, is held, or is counted as refused."""
    watermark = new()
    placed = take(watermark, records)
    assert len({each.record.symbol for each in placed}) == len(placed)
    assert len(placed) + len(watermark.state().held) + sum(watermark.refused.values()) == len(records)


@given(streams())
def test_records_that_need_no_look_change_nothing(records: list[AnyEvent]) -> None:
    """Skipping :meth:`take` within ``low_us`` and ``reached_us`` gives the same result as calling it."""
    watermark, other = new(), new()
    for record in records:
        if watermark.low_us <= record.receive_time_us <= watermark.reached_us:
            watermark.note_active(record.venue)
            found = [Placed(watermark.reached_us, record)]
        else:
            found = watermark.take(record)
        assert found == other.take(record)
    assert watermark.state() == other.state()


@given(st.lists(st.tuples(st.integers(0, 77), st.integers(11, 10**7), st.booleans()), max_size=CONFIRM))
def test_a_minority_with_a_wrong_clock_does_not_move_honest_records(poison: list[tuple[int, int, bool]]) -> None:
    """Records of one of three venues from the future do not change when the others' records take effect."""
    honest: list[AnyEvent] = [
        record for at in range(40) for record in (trade(START + at, venue="a"), beat(START + at, "b"))
    ]
    mixed = list(honest)
    for index, ahead, is_beat in sorted(poison, reverse=True):
        at = START + 40 + ahead
        mixed.insert(2 + index, beat(at, "c") if is_beat else trade(at, venue="c"))
    placed = [each for each in take(new(), mixed) if each.record.venue != "c"]
    assert placed == take(new(), honest)


def test_a_gap_record_is_dated_by_the_collector_too() -> None:
    """A gap with an arrival time ahead is no evidence of time, and takes effect at the watermark."""
    at_us = (START + HOUR) * MICROS
    gap = Gap("a", ALL, ALL, at_us, at_us, "trades", at_us - MICROS, at_us, "disconnect")
    watermark = new()
    assert seconds(take(watermark, [beat(START), gap, beat(START + 1)])) == [0, 0, 1]
    assert HELD_US > CONFIRM * MICROS


def test_a_record_that_no_snapshot_can_hold_is_refused_at_once() -> None:
    """A record with a number beyond 64 bits is not held, so that the state can always be encoded."""
    watermark = new()
    take(watermark, [trade(START, venue=venue) for venue in ("a", "b", "c")])
    absurd = msgspec.structs.replace(trade(START + HOUR, venue="c"), event_time_us=2**80)
    assert take(watermark, [absurd]) == []
    assert watermark.refused == {"c": 1}
    msgspec.msgpack.encode(watermark.state())


def test_an_event_time_ahead_of_its_arrival_claims_no_more_than_that() -> None:
    """An event time later than the arrival time does not move the watermark beyond the arrival time."""
    watermark = new()
    take(watermark, [trade(START), trade(START + 40 * 86_400, START + 60)])
    assert watermark.reached_us == (START + 60) * MICROS


def test_a_gap_of_all_venues_is_no_venue_with_a_vote() -> None:
    """A gap of all venues makes none of them active, so it gives no vote."""
    watermark = new()
    at_us = START * MICROS
    watermark.take(trade(START))
    watermark.take(Gap(ALL, ALL, ALL, at_us, at_us, "trades", at_us - 1, at_us, "offsets_lost"))
    assert set(watermark.active) == {"bybit"}
    assert seconds(take(watermark, [trade(START + HOUR)])) == [HOUR]
