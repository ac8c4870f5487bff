from __future__ import annotations

from monitor.evaluate import degrade
from monitor.events import MICROS, AnyEvent, MarkPrice, OpenInterest
from tests.evaluate.tapes import START, forced, interest, mark

EVENTS: list[AnyEvent] = [
    mark(0, 100.0, venue="a"), mark(0, 100.0, venue="b"), forced(1, 10.0), forced(1, 30.0), forced(1, 20.0),
    interest(2, 5.0), forced(3, 5.0, coverage="latest_per_second"), mark(4, 99.0, venue="a"),
]  # fmt: skip


def test_feeds_tell_who_shows_everything() -> None:
    """Venues with forced orders, and those of them without a throttle."""
    other = forced(5, 1.0, coverage="latest_per_second")
    other.venue = "x"
    assert degrade.feeds_of([*EVENTS, other]) == degrade.Feeds(("okx", "x"), ("okx",))


def test_dropping() -> None:
    """A venue takes everything with it, or its forced orders alone."""
    assert len(list(degrade.drop(EVENTS, ("a",)))) == len(EVENTS) - 2
    left = list(degrade.drop_forced(EVENTS, ("okx",)))
    assert [type(event).__name__ for event in left] == ["MarkPrice", "MarkPrice", "OpenInterest", "MarkPrice"]


def test_a_throttle_keeps_one_a_second_and_shows_it_at_its_end() -> None:
    """The latest or the largest, and says so."""
    for convention, kept in (("latest_per_second", 20.0), ("largest_per_second", 30.0)):
        shown = list(degrade.throttle(EVENTS, convention))  # type: ignore[arg-type]
        orders = [event for event in shown if event.__class__.__name__ == "Liquidation"]
        assert [order.notional_usd for order in orders] == [kept, 5.0]  # type: ignore[union-attr]
        assert {order.coverage for order in orders} == {convention}  # type: ignore[union-attr]
        assert orders[0].receive_time_us == (START + 2) * MICROS - 1
        assert [degrade.arrival(event) for event in shown] == sorted(degrade.arrival(event) for event in shown)


def test_losses_are_the_same_each_time_and_as_many_as_said() -> None:
    """A fifth of ten thousand, give or take."""
    many = [mark(second, 100.0) for second in range(10_000)]
    once = list(degrade.lose(many, 20))
    assert once == list(degrade.lose(many, 20))
    assert 7_800 < len(once) < 8_200


def test_everything_twice() -> None:
    """Each event right after itself."""
    assert list(degrade.repeat(EVENTS[:2])) == [EVENTS[0], EVENTS[0], EVENTS[1], EVENTS[1]]


def test_a_shifted_clock_leaves_arrival_alone() -> None:
    """Only the venue's event times are off."""
    shifted = list(degrade.shift(EVENTS, ("a",), -2 * MICROS))
    assert [one.event_time_us // MICROS - START for one in shifted[:2]] == [-2, 0]
    assert [degrade.arrival(one) for one in shifted] == [degrade.arrival(one) for one in EVENTS]


def test_a_freeze_delays_and_loses_nothing() -> None:
    """Each venue's events of its freeze arrive together at its end, in the order of arrival."""
    steady = [mark(second, 100.0, venue=venue) for second in range(1_200) for venue in ("a", "b")]
    frozen = list(degrade.freeze(steady))
    assert sorted(one.event_time_us for one in frozen) == [one.event_time_us for one in steady]
    arrivals = [degrade.arrival(one) for one in frozen]
    assert arrivals == sorted(arrivals)
    late = [one for one in frozen if one.receive_time_us > one.event_time_us]
    assert 2 * 2 * 5 <= len(late) <= 2 * 2 * 61
    assert len({(one.venue, one.receive_time_us) for one in late}) == 4


def test_open_interest_comes_late() -> None:
    """By a quarter of an hour, after everything that arrived before."""
    late = list(degrade.delay_interest(EVENTS, 900 * MICROS))
    assert type(late[-1]) is OpenInterest
    assert late[-1].receive_time_us == (START + 902) * MICROS
    assert late[:-1] == [event for event in EVENTS if type(event) is not OpenInterest]


def test_mad_prices_are_short_and_of_one_venue() -> None:
    """Ten seconds an hour."""
    steady = [mark(second, 100.0, venue=venue) for second in range(3_600) for venue in ("a", "b")]
    mad = [one for one in degrade.spike(steady, ("a",)) if type(one) is MarkPrice and one.mark_price < 100]
    assert [one.venue for one in mad] == ["a"] * degrade.SPIKE_S
    assert {one.mark_price for one in mad} == {70.0}


def test_what_may_be_missing_for_good_is_a_part_of_the_matrix() -> None:
    """Each venue, and the feeds that show everything."""
    feeds = degrade.Feeds(("okx", "x"), ("okx",))
    names = [row.name for row in degrade.losses(feeds)]
    assert names == ["without okx", "without x", "only throttled feeds"]
    assert [row.name for row in degrade.matrix(feeds)][:3] == names


def test_every_row_of_the_matrix_takes_and_gives_events() -> None:
    """Each can be run, and names itself."""
    rows = degrade.matrix(degrade.feeds_of(EVENTS))
    assert len({row.name for row in rows}) == len(rows) == 14
    for row in rows:
        list(row.apply(EVENTS))
