from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from functools import partial
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.simulate import faults
from monitor.model.events import MICROS, AnyEvent, Coverage, Gap, Liquidation, MarkPrice, OpenInterest

T0: Final = 1_700_000_000 * MICROS
ALL_FAULTS: Final[list[Callable[[list[AnyEvent]], Iterator[AnyEvent]]]] = [
    partial(faults.drop_venues, venues=["a"]),
    partial(faults.drop_liquidations, venues=["a"]),
    partial(faults.lose, percent=20),
    partial(faults.outage, venue="a", from_us=T0 + MICROS, to_us=T0 + 2 * MICROS, channels=["liquidations"]),
    faults.duplicate,
    partial(faults.shift_clock, venues=["a"], by_us=-MICROS),
    partial(faults.throttle, convention="latest_per_second"),
    partial(faults.throttle, convention="largest_per_second"),
    faults.freeze,
    partial(faults.delay_open_interest, by_us=MICROS),
    partial(faults.misprice, venues=["a"], factor=0.5, is_wrong_at=lambda at_us: at_us % 2 == 0),
]


def liquidation(at_us: int, usd: float = 1.0, *, venue: str = "a", coverage: Coverage = "complete") -> Liquidation:
    """Return a liquidation, its event time relative to ``T0``; it is received a millisecond later."""
    at = T0 + at_us
    return Liquidation(
        venue=venue,
        symbol="BTCUSDT",
        asset="BTC",
        event_time_us=at,
        receive_time_us=at + 1_000,
        side="long",
        notional_usd=usd,
        coverage=coverage,
        id=f"{venue}{at_us}",
    )


def mark(at_us: int, venue: str = "a") -> MarkPrice:
    """Return a mark price, received half a millisecond after its event time."""
    return MarkPrice(
        venue=venue,
        symbol="BTCUSDT",
        asset="BTC",
        event_time_us=T0 + at_us,
        receive_time_us=T0 + at_us + 500,
        mark_price=100.0,
    )


def interest(at_us: int) -> OpenInterest:
    """Return an open interest, received at its event time."""
    return OpenInterest(
        venue="a",
        symbol="BTCUSDT",
        asset="BTC",
        event_time_us=T0 + at_us,
        receive_time_us=T0 + at_us,
        open_interest=1.0,
        open_interest_usd=100.0,
    )


def usd(events: Iterable[AnyEvent]) -> list[float]:
    """Return the notionals of the liquidations."""
    return [event.notional_usd for event in events if isinstance(event, Liquidation)]


def test_a_dropped_venue_leaves_nothing_behind() -> None:
    """Every event of the named venues goes, and nothing else."""
    events: list[AnyEvent] = [liquidation(0), mark(1, "b"), mark(2)]
    assert list(faults.drop_venues(events, ["a"])) == [events[1]]


def test_dropping_liquidations_leaves_prices() -> None:
    """Liquidations of the named venues go; their prices and the other venues' liquidations stay."""
    events: list[AnyEvent] = [liquidation(0), mark(1), liquidation(2, venue="b")]
    assert list(faults.drop_liquidations(events, ["a"])) == events[1:]


def test_losses_are_the_same_each_time() -> None:
    """About the stated percentage is lost, and the same events in each run."""
    many = [mark(number) for number in range(10_000)]
    once = list(faults.lose(many, 20))
    assert once == list(faults.lose(many, 20))
    assert 7_800 < len(once) < 8_200


def test_an_outage_is_lost_and_reported() -> None:
    """Nothing of the outage arrives, and a gap of each channel follows once it is over."""
    events = [mark(0), mark(10_000), mark(20_000, "b"), mark(90_000)]
    seen = list(faults.outage(events, "a", T0 + 5_000, T0 + 50_000, ["liquidations", "mark_price"]))
    assert [type(event) for event in seen] == [MarkPrice, MarkPrice, Gap, Gap, MarkPrice]
    gap = seen[2]
    assert isinstance(gap, Gap)
    assert (gap.from_us, gap.to_us, gap.receive_time_us) == (T0 + 5_000, T0 + 50_000, T0 + 50_000)


def test_a_duplicate_follows_its_original() -> None:
    """Every event is delivered twice in a row."""
    events: list[AnyEvent] = [mark(0), liquidation(1)]
    assert list(faults.duplicate(events)) == [events[0], events[0], events[1], events[1]]


def test_a_shifted_clock_leaves_arrival_alone() -> None:
    """Only the named venue's event times move, and nothing's arrival."""
    shifted = list(faults.shift_clock([mark(0), mark(1, "b")], ["a"], -2 * MICROS))
    assert [event.event_time_us - T0 for event in shifted] == [-2 * MICROS, 1]
    assert [event.receive_time_us for event in shifted] == [T0 + 500, T0 + 501]


@pytest.mark.parametrize(
    ("convention", "kept"), [("latest_per_second", [3.0, 4.0]), ("largest_per_second", [9.0, 4.0])]
)
def test_a_throttle_shows_one_a_second(convention: faults.Convention, kept: list[float]) -> None:
    """The latest or the largest of each second is shown at the second's end, with the convention as its coverage."""
    events: list[AnyEvent] = [
        liquidation(100, 1.0),
        liquidation(200, 9.0),
        liquidation(900_000, 3.0),
        mark(990_000),
        liquidation(1_100_000, 4.0),
    ]
    shown = list(faults.throttle(events, convention))
    assert usd(shown) == kept
    first = next(event for event in shown if isinstance(event, Liquidation))
    assert (first.receive_time_us, first.coverage) == (T0 + MICROS - 1, convention)


def test_a_throttle_takes_the_largest_of_a_late_batch() -> None:
    """Orders that arrive together count as one second's, whatever their event times."""
    late = T0 + 6 * MICROS
    batch = [liquidation(at, size) for at, size in ((1, 1.0), (2, 5.0), (3, 2.0))]
    for one in batch:
        one.receive_time_us = late
    assert usd(faults.throttle(batch, "largest_per_second")) == [5.0]


def test_hourly_totals_pass_a_throttle() -> None:
    """A total of an hour stands for no single second and is not held back."""
    totals = [liquidation(1, coverage="aggregated"), liquidation(2, coverage="aggregated")]
    assert list(faults.throttle(totals, "latest_per_second")) == totals


def test_a_freeze_delays_and_loses_nothing() -> None:
    """Each venue's events of its freeze arrive together at its end, once in each period."""
    steady = [mark(second * MICROS, venue) for second in range(1_200) for venue in ("a", "b")]
    frozen = list(faults.freeze(steady))
    assert sorted(one.event_time_us for one in frozen) == [one.event_time_us for one in steady]
    late = [one for one in frozen if one.receive_time_us > one.event_time_us + 500]
    periods = {(one.venue, (one.receive_time_us - 1) // (faults.FREEZE_EVERY_S * MICROS)) for one in late}
    shortest, longest = faults.FREEZE_S
    assert len({(one.venue, one.receive_time_us) for one in late}) == len(periods) >= 4
    assert (shortest - 1) * 4 <= len(late) <= (longest + 1) * len(periods)


def test_open_interest_arrives_late() -> None:
    """Open interest alone is late, after what arrived meanwhile."""
    late = list(faults.delay_open_interest([interest(0), mark(0), mark(5_000)], 2_000))
    assert [type(event) for event in late] == [MarkPrice, OpenInterest, MarkPrice]
    assert late[1].receive_time_us == T0 + 2_000


def test_a_wrong_price_is_one_venues() -> None:
    """Only marks of the named venues that arrive while prices are wrong are changed."""
    events = [mark(0), mark(10), mark(10, "b"), mark(20)]
    changed = faults.misprice(events, ["a"], 0.5, lambda at_us: at_us == T0 + 510)
    assert [event.mark_price for event in changed if isinstance(event, MarkPrice)] == [100.0, 50.0, 100.0, 100.0]


@st.composite
def streams(draw: st.DrawFn) -> list[AnyEvent]:
    """Draw a stream in the order of arrival."""
    times = sorted(draw(st.lists(st.integers(0, 5 * MICROS), max_size=40)))
    makers = (lambda at: liquidation(at, 1.0 + at % 7), mark, interest, lambda at: mark(at, "b"))
    return sorted((draw(st.sampled_from(makers))(at) for at in times), key=faults.arrival_us)


@given(streams(), st.sampled_from(ALL_FAULTS))
def test_every_fault_keeps_the_order_of_arrival(
    events: list[AnyEvent], fault: Callable[[list[AnyEvent]], Iterator[AnyEvent]]
) -> None:
    """Whatever the stream, a fault yields events in the order of their arrival and changes none in place."""
    copies = [copy(event) for event in events]
    changed = list(fault(events))
    assert all(faults.arrival_us(one) <= faults.arrival_us(other) for one, other in pairwise(changed))
    assert events == copies


@given(streams())
def test_a_throttle_shows_exactly_one_for_each_second_that_has_any(events: list[AnyEvent]) -> None:
    """The seconds with a liquidation are those of the shown ones, each once."""
    seconds = {event.receive_time_us // MICROS for event in events if isinstance(event, Liquidation)}
    shown = [one for one in faults.throttle(events, "largest_per_second") if isinstance(one, Liquidation)]
    assert sorted(one.receive_time_us // MICROS for one in shown) == sorted(seconds)
