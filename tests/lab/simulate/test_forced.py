from __future__ import annotations

import math

import numpy as np
import pytest

from monitor.lab.simulate.forced import EXECUTION_S, ForcedQueue
from monitor.lab.simulate.listings import ASSETS, VENUE_SHARES

BTC = ASSETS[0]
T0 = 1_790_000_000_000_000


def queue(seed: int = 3) -> ForcedQueue:
    """An empty queue of BTC with a daily volume of 1,000 M USD."""
    return ForcedQueue(BTC, 1e9, np.random.default_rng(seed))


def test_positions_are_split_without_loss() -> None:
    """Queued positions add up to the liquidated lots, on all venues roughly by their shares."""
    forced = queue()
    forced.put("long", 1_000_000, 64_000.0)
    assert forced.waiting_lots == 1_000_000
    counts = dict.fromkeys(VENUE_SHARES, 0)
    for position in forced.waiting:
        counts[position.listing.venue] += 1
    total = len(forced.waiting)
    assert total > 500
    assert all(counts[venue] / total == pytest.approx(share, abs=0.06) for venue, share in VENUE_SHARES.items())
    assert len({position.order_id for position in forced.waiting}) == total


def test_the_queue_drains_with_its_time_constant() -> None:
    """After 4 s about 1 - 1/e of the orders are executed, each once, with times inside their step."""
    forced = queue()
    forced.put("long", 1_000_000, 60_000.0)
    waiting = len(forced.waiting)
    done = []
    for number in range(round(EXECUTION_S * 10)):
        start = T0 + number * 100_000
        orders = forced.execute(65_000.0, 1.0, start, 0.1).orders
        assert all(start <= one.time_us < start + 100_000 and one.time_us % 1_000 == 0 for one in orders)
        done += orders
    assert len(done) / waiting == pytest.approx(1 - math.exp(-1), abs=0.05)
    assert len({one.order_id for one in done}) == len(done)
    assert sum(one.lots for one in done) + forced.waiting_lots == 1_000_000
    assert all(1 <= one.last_fill_lots <= one.lots for one in done)


def test_no_fill_is_worse_than_bankruptcy() -> None:
    """Longs fill below the market but never below their bankruptcy price; shorts the other way round."""
    forced = queue()
    forced.put("long", 200_000, 64_990.0)
    forced.put("short", 200_000, 65_010.0)
    orders = forced.execute(65_000.0, 0.3, T0, 60.0).orders
    limits = {"long": (649_900, 650_000), "short": (650_000, 650_100)}
    assert {one.side for one in orders} == {"long", "short"}
    ticks = [(one.side, one.fill_ticks) for one in orders if one.listing.price_decimals == 1]
    assert all(limits[side][0] <= fill <= limits[side][1] for side, fill in ticks)
    assert any(fill == 649_900 for _, fill in ticks)


def test_the_backstop_keeps_part_off_the_book() -> None:
    """Prints are takers against the position's side and smaller than what was closed; the price impact is theirs."""
    forced = queue()
    forced.put("long", 300_000, 60_000.0)
    done = forced.execute(65_000.0, 1.0, T0, 4.0)
    closed = sum(one.lots for one in done.orders)
    printed = sum(one.lots for one in done.prints)
    assert {one.taker_side for one in done.prints} == {"sell"}
    assert 0.3 * closed < printed < closed
    assert done.book_usd == pytest.approx(-printed * BTC.lot_usd)


def test_an_empty_queue_executes_nothing() -> None:
    """Without positions there are no orders, and no random number is drawn."""
    forced = queue()
    assert forced.execute(65_000.0, 1.0, T0, 0.1) == forced.execute(65_000.0, 1.0, T0, 0.1)
    assert forced.execute(65_000.0, 1.0, T0, 0.1).orders == []


def test_an_order_that_the_backstop_takes_whole_prints_nothing() -> None:
    """A single lot in a heavy flow is absorbed: an order without a print."""
    forced = queue()
    forced.put("short", 10_000_000, 70_000.0)
    for _ in range(200):
        forced.put("short", 1, 70_000.0)
    done = forced.execute(65_000.0, 1.0, T0, 40.0)
    assert len(done.prints) <= len(done.orders) - 200
    assert {one.taker_side for one in done.prints} == {"buy"}
