"""Adapters read frames with any numbers and names without an exception, and return only plausible events."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.collect.rest.instruments import without_refused_names
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Memory
from monitor.exchanges.messages import Message
from monitor.exchanges.registry import ADAPTERS
from monitor.exchanges.rest_requests import InstrumentPage
from monitor.exchanges.toolkit.listings import Listings
from monitor.model.events import Event, Liquidation, Reject, Trade
from monitor.model.validation import event_fault
from tests.budget import examples, sample
from tests.exchanges.cases import ALL_CASES, Case, cases_of, compact

NUMBERS: Final = [
    "-1e22",
    "0",
    "5e-324",
    "1e-320",
    "1e22",
    "1e308",
    "1e999",
    str(2**63),
    str(2**63 + 200),
    str(10**400),
    "9" * 5000,
]
NAMES: Final = [
    '"MARKETUSDT"',
    '"MARKET"',
    '"*"',
    '"<b>X</b>USDT"',
    '"A\\nBUSDT"',
    '"\\u0000USDT"',
    '"\\u202eUSDT"',
    '"' + "A" * 5000 + 'USDT"',
    '"\\ud83d\\ude00USDT"',
    '"币安人生USDT"',
    '""',
]
HOLE: Final = "@@hole@@"
Path = tuple[str | int, ...]


def leaves(content: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every value of a JSON document that is not an object or array, with its path."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from leaves(value, (*path, key))
    else:
        yield path, content


def at(content: Any, path: Sequence[str | int]) -> Any:
    """Return the part of a document at the end of a path."""
    for step in path:
        content = content[step]
    return content


def changed(content: Any, path: Path, token: str) -> bytes:
    """Return the bytes of a document whose value at the path is written as ``token``."""
    holed = copy.deepcopy(content)
    at(holed, path[:-1])[path[-1]] = HOLE
    return compact(holed).replace(f'"{HOLE}"'.encode(), token.encode())


def is_number(value: Any) -> bool:
    """Return whether a value is a number or a text that contains one."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)


LATER_US: Final = 1_764_100_000_000_000
"""A receipt after all times of the documented frames: only then the hot loops take their trades."""


def receipts(case: Case) -> tuple[int, ...]:
    """Return the receipt times to read a case's frames with; BitMEX's liquidations have no other time."""
    return (LATER_US,) if case.venue == "bitmex" else (case.received_us, LATER_US)


def parsed(case: Case, number: int, frame: bytes, received_us: int) -> list[Message]:
    """Return the messages that a new adapter returns for a case's frames, one of them replaced."""
    adapter, memory = case.adapter(), Memory()
    frames = [compact(each) for each in case.frames]
    frames[number] = frame
    return [message for each in frames for message in adapter.parse(each, received_us, memory)]


def events_in(messages: Sequence[Message]) -> Counter[bytes]:
    """Return the number of each event among messages."""
    return Counter(msgspec.json.encode(message) for message in messages if isinstance(message, Event))


def row_of(content: Any, path: Path) -> Path | None:
    """Return the path of the innermost of several rows that contains a value; None if there are not several rows."""
    for end in range(len(path) - 1, 0, -1):
        rows = at(content, path[: end - 1])
        if isinstance(rows, list) and len(rows) > 1 and isinstance(rows[0], dict) and isinstance(path[end - 1], int):
            return path[:end]
    return None


def assert_plausible(messages: Sequence[Message]) -> None:
    """Assert that every event is plausible and can be encoded, and that every reject has a printable detail."""
    for message in messages:
        if isinstance(message, Event):
            assert event_fault(message) is None
            msgspec.json.encode(message)
        elif isinstance(message, Reject):
            assert message.detail
            assert len(message.detail) < 1500


DATA = [case for case in ALL_CASES if any(not isinstance(frame, str | bytes) for frame in case.frames)]
NUMBERED: Final = list(enumerate(DATA))
"""Each case with a number of its own, by which the samples of a day differ."""
IDS: Final = [f"{case.venue}-{case.file}-{case.about}" for case in DATA]


@pytest.mark.sampled
@pytest.mark.parametrize(("turn", "case"), NUMBERED, ids=IDS)
def test_absurd_numbers_come_out_of_no_adapter(turn: int, case: Case) -> None:
    """An absurd value in place of any number of a documented frame raises nothing and loses no other row."""
    for received_us, (number, content) in product(receipts(case), enumerate(case.frames)):
        for place, (path, value) in enumerate(leaves(content)):
            if not path or not is_number(value):
                continue
            row = row_of(content, path)
            beside: Counter[bytes] = Counter()
            if row is not None:
                without = copy.deepcopy(content)
                del at(without, row[:-1])[row[-1]]
                beside = events_in(parsed(case, number, compact(without), received_us))
            for token in sample(NUMBERS, turn + place):
                for written in (token, f'"{token}"') if isinstance(value, str) else (token,):
                    messages = parsed(case, number, changed(content, path, written), received_us)
                    assert_plausible(messages)
                    assert beside <= events_in(messages), (path, written[:40])


@pytest.mark.sampled
@pytest.mark.parametrize(("turn", "case"), NUMBERED, ids=IDS)
def test_hostile_names_come_out_of_no_adapter(turn: int, case: Case) -> None:
    """A hostile name in place of any text of a documented frame raises nothing and reaches no event."""
    for number, content in enumerate(case.frames):
        for place, (path, value) in enumerate(leaves(content)):
            if path and isinstance(value, str):
                for token in sample(NAMES, turn + place):
                    assert_plausible(parsed(case, number, changed(content, path, token), LATER_US))


def reasons(venue: str, frame: bytes, received_us: int = 0) -> list[str]:
    """Return the reject reasons of one frame; fail if parsing returns an event."""
    case = cases_of(venue)[0]
    messages = case.adapter().parse(frame, received_us)
    assert not [message for message in messages if isinstance(message, Event)]
    return [message.reason for message in messages if isinstance(message, Reject)]


def test_the_measured_faults_are_refused() -> None:
    """A trade of 13 trillion USD at Bybit and fill ids beyond 64 bits at Binance and OKX are rejected."""
    at_ms = 1_764_000_000_000
    liquidation = '{"topic":"allLiquidation.BTCUSDT","data":[{"T":%d,"s":"BTCUSDT","S":"Buy","v":"2e8","p":"65000"}]}'
    assert reasons("bybit", (liquidation % at_ms).encode()) == ["implausible"]
    trade = (
        '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","a":1,"s":"BTCUSDT","p":"1","q":"1","f":1,"l":%s,'
        '"T":%d,"m":true}}'
    )
    for last in (2**63 + 200, 2**62):
        assert reasons("binance-usdm", (trade % (last, at_ms)).encode(), at_ms * 1000 + 5) == ["implausible"]
    assert reasons("binance-usdm", (trade % (10**400, at_ms)).encode(), at_ms * 1000 + 5)[0] in (
        "implausible",
        "malformed",
        "not_finite",
    )
    swap = (
        '{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"1",'
        '"px":"65000","sz":"1","side":"buy","ts":"%d","count":"%d"}]}'
    )
    (reason,) = reasons("okx", (swap % (at_ms, 2**63)).encode(), at_ms * 1000 + 5)
    assert reason in ("implausible", "malformed")
    assert reasons("okx", (swap % (at_ms, 2**62)).encode(), at_ms * 1000 + 5) == ["implausible"]


@pytest.mark.parametrize("venue", ADAPTERS)
def test_a_usual_trade_of_an_absurd_size_is_refused(venue: str) -> None:
    """The fast path of the busiest venues checks the product of price and size too, not only each of them."""
    for case in cases_of(venue):
        if case.blind or case.file != "trades":
            continue
        for number, content in enumerate(case.frames):
            for path, value in leaves(content):
                if path and is_number(value):
                    for token in ("1e7", "1e17", '"1e7"', '"1e17"'):
                        messages = parsed(case, number, changed(content, path, token), LATER_US)
                        assert all(
                            event_fault(each) is None for each in messages if isinstance(each, Trade | Liquidation)
                        )


@pytest.mark.parametrize("venue", ADAPTERS)
@pytest.mark.parametrize("name", ["MARKET", "*", "<B>X</B>", "A\nB", "A" * 500, "\u202eX"], ids=ascii)
def test_an_instrument_table_cannot_bring_in_a_hostile_name(venue: str, name: str) -> None:
    """An instrument whose asset or symbol has a reserved or hostile name is left out, and its rows are rejected."""
    sound = Instrument("BTCUSDT", "BTC", 1, 1.0, "base")
    bad_asset = Instrument("XUSDT", name, 1, 1.0, "base")
    bad_symbol = Instrument(name + " ", "X", 1, 1.0, "base")
    adapter = ADAPTERS[venue]({each.symbol: each for each in (sound, bad_asset, bad_symbol)})
    listings: Listings = adapter._listings  # type: ignore[attr-defined]  # all adapters have them
    assert listings["BTCUSDT"] is not None
    assert listings["XUSDT"] is None
    assert listings[name + " "] is None


def test_a_hostile_instrument_is_left_out_with_the_reason() -> None:
    """The reason for leaving an instrument out is stored under a printable name, and the other instruments are kept."""
    page = well_named_page(Instrument("MARKETUSDT", "MARKET", 1, 1.0, "base"), Instrument("A\nB", "AB", 1, 1.0, "base"))
    assert page == {"MARKETUSDT": "the asset name MARKET is reserved"} | {
        "'A\\nB'": "symbol 'A\\nB' is empty, longer than 100 or has forbidden characters"
    }


def well_named_page(*bad: Instrument) -> dict[str, str]:
    """Return what is left out of a page with these instruments and a valid one."""
    sound = Instrument("BTCUSDT", "BTC", 1, 1.0, "base")
    page = without_refused_names(InstrumentPage([sound, *bad], {}, None))
    assert page.instruments == [sound]
    return page.left_out


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**62, 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.floats().map(repr)
    | st.integers().map(str)
    | st.sampled_from(["BTCUSDT", "BTC-USDT-SWAP", "buy", "Sell"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@cache
def seeds(venue: str) -> list[tuple[Case, int]]:
    """Return the frames of a venue that are JSON."""
    return [
        (case, number)
        for case in cases_of(venue)
        for number, frame in enumerate(case.frames)
        if not isinstance(frame, str | bytes)
    ]


def paths(content: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every part of a document except the whole."""
    if isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield (*path, key)
            yield from paths(value, (*path, key))


@pytest.mark.parametrize("venue", ADAPTERS)
@settings(max_examples=examples(10, 120), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_parse_never_raises(venue: str, data: st.DataObject) -> None:
    """A documented frame with parts replaced, removed or truncated gives only plausible events and rejects."""
    case, number = data.draw(st.sampled_from(seeds(venue)))
    content = copy.deepcopy(case.frames[number])
    for _ in range(data.draw(st.integers(1, 3))):
        where = list(paths(content))
        if not where:
            break
        path = data.draw(st.sampled_from(where))
        parent = at(content, path[:-1])
        if data.draw(st.booleans()):
            parent[path[-1]] = data.draw(ANYTHING)
        else:
            del parent[path[-1]]
    frame = json.dumps(content, separators=(",", ":")).encode()
    if data.draw(st.integers(0, 4)) == 0:
        cut = data.draw(st.integers(0, len(frame)))
        frame = frame[:cut] + data.draw(st.binary(max_size=3)) + frame[cut + data.draw(st.integers(0, 3)) :]
    assert_plausible(parsed(case, number, frame, data.draw(st.sampled_from(receipts(case)))))
