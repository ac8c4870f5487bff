"""Which estimate a throttled feed gets."""

from __future__ import annotations

import msgspec
import pytest

from monitor.detect.flow.calendar_seconds import CalendarSeconds
from monitor.detect.flow.dead_time import DeadTime
from monitor.detect.flow.throttled_feeds import DEAD_TIME_VENUES, THROTTLED, FeedState, new_feed, restore_feed
from monitor.exchanges.registry import ADAPTERS
from monitor.model.events import MICROS, Coverage


@pytest.mark.parametrize("venue", sorted(DEAD_TIME_VENUES))
def test_a_second_that_begins_with_an_order_is_dead_time(venue: str) -> None:
    """Binance and Aster open a second at an order; their adapters claim the latest of a second."""
    assert isinstance(new_feed(venue, "latest_per_second"), DeadTime)
    assert venue in ADAPTERS


@pytest.mark.parametrize("coverage", sorted(THROTTLED))
def test_other_seconds_are_the_calendars(coverage: Coverage) -> None:
    """Every other feed of one report a second is estimated by calendar seconds, by its own convention."""
    feed = new_feed("okx", coverage)
    assert isinstance(feed, CalendarSeconds)
    assert feed.largest == (coverage == "largest_per_second")


@pytest.mark.parametrize(("venue", "coverage"), [("aster", "latest_per_second"), ("bitget", "largest_per_second")])
def test_each_kind_is_restored_as_itself(venue: str, coverage: Coverage) -> None:
    """The stored state says which kind it is of."""
    feed = new_feed(venue, coverage)
    feed.advance(100)
    feed.add(100 * MICROS, "short", 7 * MICROS)
    stored: FeedState = msgspec.msgpack.decode(msgspec.msgpack.encode(feed.state()), type=FeedState)
    again = restore_feed(stored)
    assert type(again) is type(feed)
    assert again.state() == feed.state()
