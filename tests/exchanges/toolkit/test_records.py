"""Tests that rows become events, or rejects that state what is wrong."""

from __future__ import annotations

from math import nan

import pytest
from msgspec import UNSET, UnsetType

from monitor.exchanges.adapter import CoverageEra
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
