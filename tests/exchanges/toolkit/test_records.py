"""Tests that rows become events, or rejects that state what is wrong."""

from __future__ import annotations

from math import nan

import pytest
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import CoverageEra
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Message, Skipped
from monitor.exchanges.toolkit.listings import Listings
from monitor.exchanges.toolkit.records import Fill, MarkUpdate, Receipt, RecordBuilder
from monitor.model.events import Liquidation, MarkPrice, OpenInterest, Reject, Trade
from tests.exchanges.reference import NOW_US

RECEIPT = Receipt(NOW_US, b"{}")
LISTINGS = Listings("x", None, by_name=True)
RECORDS = RecordBuilder("x", LISTINGS, (CoverageEra(0, "complete", "all", "nowhere"),))
MARK = MarkUpdate("BTCUSDT", 40_000.0, NOW_US)


def kinds(messages: list[Message]) -> list[type]:
    """Return the types of the messages."""
    return [type(message) for message in messages]


def test_a_ticker_is_a_mark_price_and_its_open_interest() -> None:
    """The open interest of a ticker is valued at its mark price."""
    mark, interest = RECORDS.ticker(MARK, 2.0, RECEIPT)
    assert mark == MarkPrice("x", "BTCUSDT", "BTC", NOW_US, NOW_US, 40_000.0)
    assert interest == OpenInterest("x", "BTCUSDT", "BTC", NOW_US, NOW_US, 2.0, 80_000.0)


@pytest.mark.parametrize("size", [UNSET, None])
def test_a_ticker_may_say_no_open_interest(size: UnsetType | None) -> None:
    """A ticker without open interest gives only a mark price."""
    assert kinds(RECORDS.ticker(MARK, size, RECEIPT)) == [MarkPrice]


def test_a_ticker_counts_once() -> None:
    """A ticker whose mark price is rejected or skipped gives no open interest."""
    assert kinds(RECORDS.ticker(MARK._replace(price=nan), 2.0, RECEIPT)) == [Reject]
    assert kinds(RECORDS.ticker(MARK._replace(symbol="?"), 2.0, RECEIPT)) == [Reject]
    assert RECORDS.ticker(MARK._replace(symbol="BTCUSDT-26SEP25"), 2.0, RECEIPT) == [Skipped("other_market", 1)]


def test_rows_that_are_alike_are_numbered_by_symbol() -> None:
    """Identical liquidations get numbers if the ids of the frame are passed, and none otherwise."""
    fill = Fill("BTCUSDT", "sell", 40_000.0, 1.0, NOW_US, "7")
    seen: dict[str, int] = {}
    rows = [RECORDS.liquidation(each, "order", RECEIPT, seen) for each in (fill, fill, fill._replace(symbol="ETHUSDT"))]
    assert [row.id for row in rows if isinstance(row, Liquidation)] == ["x:BTCUSDT:7", "x:BTCUSDT:7#1", "x:ETHUSDT:7"]
    again = RECORDS.liquidation(fill, "order", RECEIPT)
    assert isinstance(again, Liquidation)
    assert again.id == "x:BTCUSDT:7"


@pytest.mark.parametrize("trades", [0, -1])
def test_a_trade_stands_for_at_least_one_fill(trades: int) -> None:
    """A trade of zero or fewer fills is rejected."""
    fill = Fill("BTCUSDT", "buy", 40_000.0, 1.0, NOW_US, "7", 3)
    whole = RECORDS.trade(fill, RECEIPT)
    assert isinstance(whole, Trade)
    assert whole.trades == 3
    assert kinds([RECORDS.trade(fill._replace(trades=trades), RECEIPT)]) == [Reject]


SECOND_US = 1_000_000


@pytest.mark.parametrize(
    ("age_s", "confirmed_s_ago", "is_backlog"),
    [
        (480, None, True),  # the confirmation itself is still on its way
        (480, 0, True),
        (480, 9, True),
        (480, 11, False),  # a late report
        (480, 3_600, False),
        (60, 0, False),  # young: told from a repetition by its id
        (61, 0, True),
    ],
)
def test_old_rows_are_backlog_only_in_the_first_seconds_after_a_subscription(
    age_s: int, confirmed_s_ago: int | None, is_backlog: bool
) -> None:
    """A row older than a minute is repeated within ten seconds of the confirmation, and reported late after them."""
    memory = Memory()
    if confirmed_s_ago is not None:
        memory.subscribed_us["trades"] = NOW_US - confirmed_s_ago * SECOND_US
    memory.subscribed_us["others"] = NOW_US
    receipt = Receipt(NOW_US, b"", memory)
    assert receipt.is_backlog(NOW_US - age_s * SECOND_US, "trades") == is_backlog


@pytest.mark.parametrize("time_us", [0, -1, -(2**62)])
def test_a_row_without_a_possible_time_is_no_backlog(time_us: int) -> None:
    """It is left to the check of times, which refuses it and counts it."""
    assert not Receipt(NOW_US, b"").is_backlog(time_us, "trades")


def test_nothing_is_backlog_where_the_time_of_receipt_is_not_known() -> None:
    """A frame that is read alone, without its time of receipt, has no age."""
    assert not Receipt(0, b"").is_backlog(NOW_US, "trades")


def test_a_fill_that_liquidates_is_a_trade_and_a_liquidation() -> None:
    """Another fill is a trade alone, and one that cannot be read is one reject and not two."""
    fill = Fill("BTCUSDT", "sell", 40_000.0, 2.0, NOW_US, "7")
    assert kinds(RECORDS.trade_and_liquidation(fill, RECEIPT, liquidated=True)) == [Trade, Liquidation]
    assert kinds(RECORDS.trade_and_liquidation(fill, RECEIPT, liquidated=False)) == [Trade]
    assert kinds(RECORDS.trade_and_liquidation(fill._replace(price=nan), RECEIPT, liquidated=True)) == [Reject]
