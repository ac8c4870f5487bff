"""Tests that ``parse`` changes only the memory passed to it, and that the order of two sockets does not change it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from monitor.collect.rest.instruments import read_instruments
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.bybit.adapter import NOTHING, Bybit
from monitor.exchanges.memory import Latest, Memory
from monitor.exchanges.messages import Skipped
from monitor.exchanges.registry import ADAPTERS
from monitor.exchanges.toolkit.listings import Listings
from monitor.exchanges.toolkit.records import RowAdapter
from monitor.model.events import MarkPrice, OpenInterest
from tests.exchanges.cases import ALL_CASES, FOLDER, Case, cases_of, compact, plain

NOW_US = 1_764_000_000_000_000


def names_read(cases: Sequence[Case]) -> set[str]:
    """Return the symbols that adapters without instruments derive from names while they parse these cases."""
    names: set[str] = set()
    for case in cases:
        adapter, memory = case.adapter(), Memory()
        assert isinstance(adapter, RowAdapter)
        for content in case.frames:
            adapter.parse(compact(content), case.received_us, memory)
        names |= set(adapter._listings)
    return names


def state(adapter: Adapter) -> dict[str, Any]:
    """Return a deep copy of an adapter's attributes; methods and decoders, which have no state, are not copied."""

    def plain(value: Any) -> Any:
        if isinstance(value, Listings):
            return [dict(value), dict(value.plain), set(value.dated)]
        if isinstance(value, dict | set | list | str | int | float | tuple | bytes) or value is None:
            return copy.deepcopy(value)
        if hasattr(value, "__dict__"):
            return {name: plain(inner) for name, inner in vars(value).items()}
        return repr(value)

    return {name: plain(value) for name, value in vars(adapter).items()}


@pytest.mark.parametrize("venue", ADAPTERS)
def test_parse_leaves_the_adapter_unchanged(venue: str) -> None:
    """No frame of any hand-written case changes an attribute of the adapter that read it.

    What an adapter without instruments reads off a symbol's name is a cache of a pure function, filled here before.
    """
    cases = cases_of(venue)
    names = names_read(cases)
    for case in cases:
        adapter, memory = case.adapter(), Memory()
        assert isinstance(adapter, RowAdapter)
        for name in names:
            assert adapter._listings[name] == adapter._listings[name]
        before = state(adapter)
        for content in case.frames:
            adapter.parse(compact(content), case.received_us, memory)
            assert state(adapter) == before, case.about


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: f"{case.venue}-{case.file}-{case.about}")
def test_a_fresh_adapter_goes_on_where_another_stopped(case: Case) -> None:
    """Reading each frame with a new adapter and the same memory gives the same messages as one adapter for all."""
    one, memory, other = case.adapter(), Memory(), Memory()
    for content in case.frames:
        expected = one.parse(compact(content), case.received_us, memory)
        assert case.adapter().parse(compact(content), case.received_us, other) == expected


@pytest.mark.parametrize("venue", ADAPTERS)
def test_symbols_that_are_not_known_are_not_remembered(venue: str) -> None:
    """With an instrument table, the memory contains only symbols of the table, whatever symbols the frames have."""
    path = FOLDER / venue / "_instruments.json"
    table = read_instruments(path) if path.exists() else {}
    adapter, memory = ADAPTERS[venue](table), Memory()
    for case in cases_of(venue):
        for content in case.frames:
            adapter.parse(compact(content), case.received_us or NOW_US, memory)
    assert memory.latest.keys() <= table.keys()
    assert Latest() == NOTHING


def test_a_value_gives_way_to_one_of_the_same_or_a_later_time() -> None:
    """A price or funding with an older time is ignored; one without a time is stored and any next one replaces it."""
    latest = Latest()
    latest.update_mark_price(10.0, 5)
    latest.update_mark_price(9.0, 4)
    assert (latest.price, latest.time_us) == (10.0, 5)
    latest.update_mark_price(11.0, 5)
    latest.update_mark_price(12.0)
    assert (latest.price, latest.time_us) == (12.0, 5)
    latest.update_mark_price(13.0, 5)
    latest.update_funding(0.1, 7, 5)
    latest.update_funding(0.2, 8, 4)
    assert (latest.price, latest.rate, latest.next_us, latest.funding_us) == (13.0, 0.1, 7, 5)
    latest.update_funding(0.3)
    assert (latest.rate, latest.next_us, latest.funding_us) == (0.3, UNSET, 5)


def test_sockets_share_the_venue_s_values_and_nothing_else() -> None:
    """The memory of a new socket has the venue's latest values, and no channel ids or columns of another socket."""
    venue = Memory()
    socket = venue.for_new_socket()
    socket.latest["A"] = Latest(1.0)
    socket.channels[1] = "trades"
    socket.columns = ("symbol",)
    socket.confirmed["deal"] += 1
    fresh = venue.for_new_socket()
    assert fresh.latest == {"A": Latest(1.0)}
    assert (fresh.channels, fresh.columns, dict(fresh.confirmed)) == ({}, (), {})


def test_a_time_far_ahead_holds_nothing_back() -> None:
    """A funding rate with a time in the future is stored without its time, so that the next one replaces it."""
    adapter, memory = ADAPTERS["okx"](read_instruments(FOLDER / "okx" / "_instruments.json")), Memory()

    def frame(channel: str, **row: str) -> bytes:
        return compact({"arg": {"channel": channel, "instId": SWAP}, "data": [{"instId": SWAP, **row}]})

    remembered = [Skipped("remembered", 1)]
    tomorrow = str(NOW_US // 1000 + 86_400_000)
    assert adapter.parse(frame("funding-rate", fundingRate="0.5", ts=tomorrow), NOW_US, memory) == remembered
    assert adapter.parse(frame("funding-rate", fundingRate="0.1", ts=str(NOW_US // 1000)), NOW_US, memory) == remembered
    (mark,) = adapter.parse(frame("mark-price", markPx="7", ts=str(NOW_US // 1000)), NOW_US, memory)
    assert isinstance(mark, MarkPrice)
    assert mark.funding_rate == 0.1


SWAP = "BTC-USDT-SWAP"
FIELDS = (
    "markPrice",
    "indexPrice",
    "fundingRate",
    "nextFundingTime",
    "openInterest",
    "openInterestValue",
    "singleOpenInterest",
    "singleOpenInterestValue",
)


@st.composite
def tickers(draw: st.DrawFn) -> list[bytes]:
    """Generate the ticker frames of one symbol on one socket: a snapshot, then deltas with rising times."""
    rows = draw(st.lists(st.dictionaries(st.sampled_from(FIELDS), st.integers(1, 9)), min_size=1, max_size=8))
    frames = []
    for number, row in enumerate(rows):
        data = {name: str(value) for name, value in row.items()}
        if "fundingRate" in row:
            data["fundingRate"] = str(row["fundingRate"] / 100)
        if "nextFundingTime" in row:
            data["nextFundingTime"] = str(1_764_000_000_000 + row["nextFundingTime"])
        if number == 0:
            data = dict.fromkeys(FIELDS, "1") | {"fundingRate": "0.01", "nextFundingTime": "1764000000001"} | data
        content = {
            "topic": "tickers.BTCUSDT",
            "type": "delta" if number else "snapshot",
            "ts": 1_764_000_000_000 + number,
            "data": {"symbol": "BTCUSDT", **data},
        }
        frames.append(json.dumps(content).encode())
    return frames


def interleaved(frames: Sequence[bytes], ahead: Sequence[bool]) -> Iterator[bytes]:
    """Generate an order of arrival of the frames of two sockets that carry the same."""
    places = [0, 0]
    for first in (*ahead, *[True] * len(frames), *[False] * len(frames)):
        socket = 0 if first else 1
        if places[socket] < len(frames):
            yield frames[places[socket]]
            places[socket] += 1


def final(frames: Sequence[bytes]) -> tuple[dict[str, Latest], list[object]]:
    """Return the memory after these frames, and the last events by event time."""
    adapter, memory = Bybit(), Memory()
    newest: dict[type, MarkPrice | OpenInterest] = {}
    for frame in frames:
        for message in adapter.parse(frame, 0, memory):
            if isinstance(message, Skipped):
                continue
            assert isinstance(message, MarkPrice | OpenInterest)
            known = newest.get(type(message))
            if known is None or message.event_time_us >= known.event_time_us:
                newest[type(message)] = message
    return memory.latest, [newest.get(MarkPrice), newest.get(OpenInterest)]


@given(frames=tickers(), ahead=st.lists(st.booleans(), max_size=16))
def test_two_sockets_leave_the_same_whichever_is_ahead(frames: list[bytes], ahead: list[bool]) -> None:
    """Two sockets with the same tickers leave the same memory as one of them, in any order of arrival."""
    assert final(list(interleaved(frames, ahead))) == final(frames)


@given(frames=tickers())
def test_deltas_add_up_to_the_whole_ticker(frames: list[bytes]) -> None:
    """Each event has the values of a plain dictionary that is updated frame by frame."""
    adapter, memory = Bybit(), Memory()
    whole: dict[str, str] = {}
    for frame in frames:
        data = json.loads(frame)["data"]
        whole.update(data)
        for message in adapter.parse(frame, 0, memory):
            if isinstance(message, MarkPrice):
                assert message.mark_price == float(whole["markPrice"])
                assert message.index_price == float(whole["indexPrice"])
                assert message.funding_rate == float(whole["fundingRate"])
                assert message.next_funding_time_us == int(whole["nextFundingTime"]) * 1000


REMEMBERING = [case for case in ALL_CASES if {"control": "Skipped", "fields": ["remembered", 1]} in case.expect]


@pytest.mark.parametrize("case", REMEMBERING, ids=lambda case: f"{case.venue}-{case.file}-{case.about}")
def test_funding_and_prices_survive_reconnects_and_fresh_instrument_tables(case: Case) -> None:
    """Each frame read on a socket of its own, by an adapter of its own, gives what one socket and one adapter give."""
    assert case.venue not in {"bitfinex", "phemex"}  # which number channels and name columns anew on each socket
    venue = Memory()
    messages = [
        plain(message)
        for content in case.frames
        for message in case.adapter().parse(compact(content), case.received_us, venue.for_new_socket())
    ]
    assert messages == case.expect


def test_several_exchanges_remember() -> None:
    """The test above has exchanges to hold for: those whose fundings or oracle prices come by themselves."""
    assert {case.venue for case in REMEMBERING} >= {"okx", "htx", "kucoin", "mexc", "dydx", "bitmex"}
