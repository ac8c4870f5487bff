from __future__ import annotations

import contextlib
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from monitor import __version__
from monitor.bus import codec
from monitor.bus.topics import FEEDS, LIQUIDATIONS, REJECTS, ROUTES, SIGNALS, SNAPSHOTS, STATE, TOPICS, TRADES, Topic
from monitor.model.events import SAMPLE_BYTES, Liquidation, Reject, RejectReason
from monitor.model.validation import NOTIONAL, PRICE, QUANTITY, Range, event_fault
from tests.bus import records as make

EXAMPLES = (
    make.liquidation(1),
    make.trade(2),
    make.bar(3),
    make.mark_price(4),
    make.open_interest(5),
    make.volatility(6),
    make.gap(7),
    make.heartbeat(8),
    make.signal(9),
)


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_a_record_survives_the_way_there_and_back(record: Any) -> None:
    """Decoding with the decoder of any of its topics gives the record that was encoded."""
    for topic in ROUTES[type(record)]:
        assert codec.decode(topic.name, codec.encode(record), codec.headers(topic)) == record


def test_every_type_has_an_example_here() -> None:
    """A new record type must be added above (a reject has its own test)."""
    assert {type(record) for record in EXAMPLES} | {Reject} == set(ROUTES)


def within(allowed: Range) -> st.SearchStrategy[float]:
    """Every float of a range."""
    return st.floats(allowed.low, allowed.high)


@given(
    within(QUANTITY), within(PRICE), within(NOTIONAL), st.text(st.characters(categories=["L", "N", "P"]), min_size=1)
)
def test_numbers_and_text_are_exact(quantity: float, price: float, usd: float, id_: str) -> None:
    """Any plausible float and any text comes back as it was, to the last bit."""
    record = replace(make.liquidation(1), quantity=quantity, price=price, notional_usd=usd, id=id_)
    assert codec.decode(LIQUIDATIONS.name, codec.encode(record), []) == record


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.builds(Liquidation, quantity=finite, price=finite, notional_usd=finite))
@example(replace(make.liquidation(1), notional_usd=1.3e13))
@example(replace(make.liquidation(1), orders=2**63))
@example(replace(make.liquidation(1), asset="MARKET"))
@example(replace(make.liquidation(1), event_time_us=2**62))
def test_a_record_that_cannot_be_true_is_refused_with_its_reason(record: Liquidation) -> None:
    """Whoever wrote it to the topic, an absurd number, time or name is refused as at an exchange's own door."""
    fault = event_fault(record)
    assert fault is not None
    with pytest.raises(codec.Implausible) as refused:
        codec.decode(LIQUIDATIONS.name, codec.encode(record), [])
    reject = codec.unreadable("topic/0@7", b"x", refused.value, 5)
    assert (reject.reason, reject.detail) == (fault[0], f"topic/0@7: {fault[1]}")


def test_fields_that_are_not_known_are_ignored() -> None:
    """A newer producer may add a field; this version reads the rest."""
    fields = {**msgspec.json.decode(codec.encode(make.trade(1))), "aggressor": "bot", "depth": [1, 2]}
    assert codec.decode(TRADES.name, msgspec.json.encode(fields), []) == make.trade(1)


def test_fields_that_are_not_known_to_the_feed_stay_out() -> None:
    """A price that the feed did not give is absent, not null."""
    record = make.liquidation(1)
    record.price = msgspec.UNSET
    assert "price" not in msgspec.json.decode(codec.encode(record))


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        (TRADES, b""),
        (TRADES, b"{"),
        (TRADES, b"[]"),
        (TRADES, codec.encode(make.liquidation(1))),
        (LIQUIDATIONS, codec.encode(make.trade(1))),
        (LIQUIDATIONS, codec.encode(make.liquidation(1)).replace(b'"long"', b'"buy"')),
        (LIQUIDATIONS, codec.encode(make.liquidation(1)).replace(b"60000.5", b"null")),
        (LIQUIDATIONS, codec.encode(make.liquidation(1)).replace(b"60000.5", b"NaN")),
        (STATE, b'{"type":"mark_price"}'),
        (FEEDS, b"\xff\xfe"),
        (FEEDS, b'{"type":' + b"[" * 100_000),
        (SIGNALS, b'{"type":"signal"}'),
    ],
)
def test_what_is_no_record_of_the_topic_is_refused(topic: Topic, value: bytes) -> None:
    """Bad bytes raise msgspec's DecodeError and nothing else."""
    with pytest.raises(msgspec.DecodeError):
        codec.decode(topic.name, value, [])


@given(
    st.builds(
        Reject,
        reason=st.sampled_from(get_args(RejectReason)),
        sample=st.binary(max_size=64),
        receive_time_us=st.integers(0, 2**62),
    )
)
def test_a_reject_carries_the_original_bytes_and_its_reason_in_headers(reject: Reject) -> None:
    """The value is the frame itself; venue, reason, detail and time stand in the headers."""
    value, headers = codec.encode_reject(reject)
    assert value == reject.sample
    assert dict(headers)["reason"] == reject.reason.encode()
    assert codec.decode(REJECTS.name, value, headers) == reject


@pytest.mark.parametrize(
    "change",
    [{"reason": b"because"}, {"reason": None}, {"receive_time_us": b"yesterday"}, {"detail": b"\xff"}],
)
def test_a_reject_with_bad_headers_is_refused(change: dict[str, bytes | None]) -> None:
    """A header that is missing or makes no sense raises a DecodeError."""
    value, headers = codec.encode_reject(make.reject(1))
    changed = [(name, text) for name, text in {**dict(headers), **change}.items() if text is not None]
    with pytest.raises(msgspec.DecodeError):
        codec.decode(REJECTS.name, value, changed)


def test_headers_name_schema_and_producer() -> None:
    """Every topic's records say what they are and who wrote them, as bytes."""
    for topic in TOPICS:
        assert codec.headers(topic) == [
            ("schema", topic.schema.encode()),
            ("producer", f"cascade-monitor/{__version__}".encode()),
        ]


def test_a_topic_that_holds_no_records_has_no_decoder() -> None:
    """Snapshots are the detector's own; nothing decodes them as a record."""
    with pytest.raises(LookupError, match=SNAPSHOTS.name):
        codec.decode(SNAPSHOTS.name, b"{}", [])


def test_an_unreadable_record_becomes_a_reject() -> None:
    """It says where it was found, keeps the start of its bytes and the time of the record."""
    value = b"x" * (SAMPLE_BYTES + 1)
    reject = codec.unreadable("market.trades.v1/3@17", value, msgspec.DecodeError("no JSON"), 5)
    assert reject == Reject("bus", "malformed", "market.trades.v1/3@17: no JSON", 5, value[:SAMPLE_BYTES])


@given(data=st.data())
def test_a_changed_record_is_read_or_refused_as_undecodable(data: st.DataObject) -> None:
    """Whatever byte of a record is changed, a name that is no UTF-8 among them: no other error reaches a reader."""
    topic, record = data.draw(
        st.sampled_from([(LIQUIDATIONS, make.liquidation(1)), (TRADES, make.trade(1)), (SIGNALS, make.signal(1))])
    )
    value = bytearray(codec.encode(record))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(msgspec.DecodeError):
        codec.decode(topic.name, bytes(value), ())


@pytest.mark.parametrize("value", [b'{"type":"\x80"}', b'{"\xff":1,"type":"liquidation"}'])
def test_a_name_that_is_no_utf8_is_a_decode_error(value: bytes) -> None:
    """Msgspec raises an error of its own kind for it, which ended every detector that read such a record."""
    with pytest.raises(msgspec.DecodeError):
        codec.decode(LIQUIDATIONS.name, value, ())


def test_a_record_nested_too_deep_is_a_decode_error() -> None:
    """A field that nobody knows may be nested as deep as it likes, and is refused as what cannot be decoded."""
    deep = b'{"type":"heartbeat","unknown":' + b"[" * 100_000
    with pytest.raises(msgspec.DecodeError, match="nested"):
        codec.decode(STATE.name, deep, ())
