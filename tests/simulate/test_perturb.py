from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor.events import MICROS, AnyEvent, Coverage, Gap, Liquidation, MarkPrice, OpenInterest
from monitor.simulate import perturb

T0: Final = 1_700_000_000 * MICROS


def liquidation(at_us: int, usd: float = 1.0, *, venue: str = "a", coverage: Coverage = "complete") -> Liquidation:
    at = T0 + at_us
    return Liquidation(venue, "BTCUSDT", "BTC", at, at + 1_000, "long", usd, coverage, f"{venue}{at_us}")


def mark(at_us: int, venue: str = "a") -> MarkPrice:
    return MarkPrice(venue, "BTCUSDT", "BTC", T0 + at_us, T0 + at_us + 500, 100.0)


def interest(at_us: int) -> OpenInterest:
    return OpenInterest("a", "BTCUSDT", "BTC", T0 + at_us, T0 + at_us, 1.0, 100.0)


def usd(events: Iterable[AnyEvent]) -> list[float]:
    return [event.notional_usd for event in events if isinstance(event, Liquidation)]


def test_a_dropped_venue_leaves_nothing_behind() -> None:
    """Only the named venue's events go."""
    events: list[AnyEvent] = [liquidation(0), mark(1, "b"), mark(2)]
    assert list(perturb.drop_venue(events, "a")) == [events[1]]


def test_dropping_complete_feeds_leaves_their_prices() -> None:
    """Prices and throttled feeds stay."""
    events: list[AnyEvent] = [liquidation(0), mark(1), liquidation(2, coverage="latest_per_second")]
    assert list(perturb.drop_complete(events)) == events[1:]


def test_losing_is_by_seed_and_spares_the_collectors_own() -> None:
    """About the share is lost, the same at each run; a gap is no message."""
    gap = Gap("a", "*", "*", T0, T0, "liquidations", T0, T0, "disconnect")
    events: list[AnyEvent] = [gap, *(liquidation(number) for number in range(1_000))]
    left = list(perturb.lose(events, 0.2, seed=1))
    assert left == list(perturb.lose(events, 0.2, seed=1))
    assert left[0] == gap
    assert 740 < len(left) < 860


@pytest.mark.parametrize(("convention", "kept"), [("latest", [3.0, 4.0]), ("largest", [9.0, 4.0])])
def test_a_throttle_shows_one_a_second(convention: perturb.Convention, kept: list[float]) -> None:
    """The latest or the largest of each second, once that is over, under the name of its convention."""
    events: list[AnyEvent] = [liquidation(100, 1.0), liquidation(200, 9.0), liquidation(900_000, 3.0), mark(999_000),
              liquidation(1_100_000, 4.0)]  # fmt: skip
    shown = list(perturb.throttle(events, convention))
    assert usd(shown) == kept
    first = next(event for event in shown if isinstance(event, Liquidation))
    assert (first.receive_time_us, first.coverage) == (T0 + MICROS, f"{convention}_per_second")


def test_a_throttle_takes_the_largest_of_a_late_batch() -> None:
    """Orders of one second that arrive together after it is over count as one second's."""
    late = T0 + 6 * MICROS
    batch = [replace(liquidation(at, size), receive_time_us=late) for at, size in ((1, 1.0), (2, 5.0), (3, 2.0))]
    assert usd(perturb.throttle(batch, "largest")) == [5.0]


def test_a_throttled_feed_is_not_throttled_again() -> None:
    """What hides most already passes as it is."""
    events = [liquidation(1, coverage="largest_per_second"), liquidation(2, coverage="largest_per_second")]
    assert list(perturb.throttle(events, "latest")) == events


def test_a_freeze_bursts_at_its_end() -> None:
    """The venue's events of that time all arrive when it ends, the others' as ever."""
    events = [mark(0), mark(10_000), mark(20_000, "b"), mark(90_000)]
    frozen = list(perturb.freeze(events, "a", T0 + 5_000, T0 + 50_000))
    assert [event.receive_time_us - T0 for event in frozen] == [500, 20_500, 50_000, 90_500]
    assert [event.event_time_us - T0 for event in frozen] == [0, 20_000, 10_000, 90_000]


def test_an_outage_is_lost_and_told() -> None:
    """Nothing of that time comes, and each channel's gap says so when it is over."""
    events = [mark(0), mark(10_000), mark(90_000)]
    seen = list(perturb.outage(events, "a", T0 + 5_000, T0 + 50_000, "liquidations", "mark_price"))
    assert [type(event) for event in seen] == [MarkPrice, Gap, Gap, MarkPrice]


def test_a_duplicate_has_the_same_id() -> None:
    """Both copies are the same event, the second one later."""
    first, again = perturb.duplicate([liquidation(0)], 1.0, 7, seed=1)
    assert replace(again, receive_time_us=first.receive_time_us) == first
    assert again.receive_time_us == first.receive_time_us + 7


def test_a_shifted_clock_moves_one_venues_event_times() -> None:
    """Arrival stays."""
    shifted = list(perturb.shift([mark(0), mark(1, "b")], "a", -2 * MICROS))
    assert [event.event_time_us - T0 for event in shifted] == [-2 * MICROS, 1]
    assert [event.receive_time_us for event in shifted] == [T0 + 500, T0 + 501]


def test_stale_interest_arrives_late() -> None:
    """Open interest alone, and after what arrived meanwhile."""
    late = list(perturb.stale_interest([interest(0), mark(0), mark(5_000)], 2_000))
    assert [type(event) for event in late] == [MarkPrice, OpenInterest, MarkPrice]


def test_a_bad_price_is_one_venues() -> None:
    """Only marks of that venue, asset and time are off."""
    events = [mark(0), mark(10), mark(10, "b"), mark(20)]
    prices = [event.mark_price for event in perturb.bad_price(events, "a", "BTC", T0 + 5, T0 + 15, 0.5)]  # type: ignore[union-attr]
    assert prices == [100.0, 50.0, 100.0, 100.0]


@st.composite
def streams(draw: st.DrawFn) -> list[AnyEvent]:
    times = sorted(draw(st.lists(st.integers(0, 5 * MICROS), max_size=40)))
    makers = (lambda at: liquidation(at, 1.0 + at % 7), mark, interest)
    return sorted((draw(st.sampled_from(makers))(at) for at in times), key=lambda event: event.receive_time_us)


def all_of(events: list[AnyEvent]) -> Iterator[list[AnyEvent]]:
    yield list(perturb.throttle(events, "latest"))
    yield list(perturb.throttle(events, "largest"))
    yield list(perturb.freeze(events, "a", T0 + MICROS, T0 + 3 * MICROS))
    yield list(perturb.duplicate(events, 0.5, 3 * MICROS, seed=1))
    yield list(perturb.stale_interest(events, MICROS))
    yield list(perturb.outage(events, "a", T0 + MICROS, T0 + 2 * MICROS, "liquidations"))


@given(streams())
def test_what_comes_out_is_in_the_order_of_arrival(events: list[AnyEvent]) -> None:
    """Whatever the stream, and a throttle shows exactly one order for each second that has any."""
    for changed in all_of(events):
        assert all(one.receive_time_us <= other.receive_time_us for one, other in pairwise(changed))
    seconds = {event.event_time_us // MICROS for event in events if isinstance(event, Liquidation)}
    assert len(usd(perturb.throttle(events, "largest"))) == len(seconds)
