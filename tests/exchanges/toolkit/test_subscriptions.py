"""Tests that channels and symbols are distributed over sockets in order and within limits."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from monitor.exchanges.toolkit.subscriptions import (
    carried_channels,
    chunked,
    market_url,
    request,
    shard,
    sockets_by_market,
)
from monitor.model.events import Channel

OFFERED: tuple[Channel, ...] = ("liquidations", "mark_price", "trades")


def test_channels_come_in_the_order_of_the_offer() -> None:
    """The most important channel is subscribed to first, in any order of the settings."""
    assert carried_channels(["trades", "liquidations", "open_interest"], OFFERED) == ("liquidations", "trades")


def test_a_sparse_channel_is_never_alone() -> None:
    """The mark price is added to liquidations, so that a stale stream is noticed; no channel stays no channel."""
    assert carried_channels(["liquidations"], OFFERED) == ("liquidations", "mark_price")
    assert carried_channels(["volatility_index"], OFFERED) == ()


@given(
    costs=st.dictionaries(st.text(min_size=1, max_size=4), st.integers(1, 50), max_size=30), budget=st.integers(10, 60)
)
def test_groups_keep_order_and_budget(costs: dict[str, int], budget: int) -> None:
    """Every symbol is in exactly one group, and only a group of one symbol may exceed the budget."""
    groups = list(shard(list(costs), costs, budget))
    assert [symbol for group in groups for symbol in group] == list(costs)
    assert all(len(group) == 1 or sum(costs[symbol] for symbol in group) <= budget for group in groups)
    assert all(groups)


def test_chunks_and_requests() -> None:
    """Parts of a sequence are consecutive; a request is compact JSON with its acknowledgements."""
    assert list(chunked([1, 2, 3], 2)) == [[1, 2], [3]]
    made = request({"op": "subscribe", "args": ["币"]}, iter(["1"]))
    assert made.frame == '{"op":"subscribe","args":["币"]}'
    assert (json.loads(made.frame)["op"], made.acks) == ("subscribe", ("1",))


def test_an_address_that_names_a_market_leads_to_the_others() -> None:
    """Only the last part of an address is replaced, and only if it is the name of a market."""
    markets = ("linear", "inverse")
    assert market_url("ws://127.0.0.1:1/v5/public/linear", "inverse", markets) == "ws://127.0.0.1:1/v5/public/inverse"
    assert market_url("ws://127.0.0.1:1/linear/x", "inverse", markets) == "ws://127.0.0.1:1/linear/x"


def test_only_the_first_socket_carries_what_holds_all_markets() -> None:
    """Further sockets have the rest of the channels, and there are none where nothing is left for them."""
    trades, marks = frozenset[Channel]({"trades"}), frozenset[Channel]({"mark_price"})
    symbols = ["A", "B", "C"]
    assert list(sockets_by_market(symbols, 2, trades | marks, marks)) == [
        (0, ["A", "B"], trades | marks),
        (1, ["C"], trades),
    ]
    assert list(sockets_by_market(symbols, 2, marks, marks)) == [(0, ["A", "B"], marks)]
    assert list(sockets_by_market(symbols, 2, frozenset(), marks)) == []
