import json
import typing
from collections.abc import Iterator
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from monitor.model import events, signals
from monitor.model.lines import DecodeError
from monitor.model.schema import CONTRACTS, DIALECT, checked, json_schema, json_schemas, texts
from monitor.model.summary import Summary

MICROS = st.integers(0, 2**53)
AMOUNT = st.floats(0, 1e15)
PRICE = st.floats(1e-12, 1e12)
SCORE = st.floats(0, 100)
TEXT = st.text(min_size=1, max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def choice(literal: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(typing.get_args(literal))


def given_or_unset(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(msgspec.UNSET), strategy)


COMMON = {"venue": TEXT, "symbol": TEXT, "asset": TEXT, "event_time_us": MICROS, "receive_time_us": MICROS}
TOTALS = st.builds(signals.SideTotals, long=AMOUNT, short=AMOUNT)
STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "liquidation": st.builds(
        events.Liquidation,
        **COMMON,
        side=choice(events.Side),
        notional_usd=AMOUNT,
        coverage=choice(events.Coverage),
        id=TEXT,
        quantity=given_or_unset(AMOUNT),
        price=given_or_unset(PRICE),
        price_kind=given_or_unset(choice(events.PriceKind)),
        orders=st.integers(1, 10**6),
    ),
    "trade": st.builds(
        events.Trade,
        **COMMON,
        taker_side=choice(events.TakerSide),
        price=PRICE,
        quantity=AMOUNT,
        notional_usd=AMOUNT,
        trades=st.integers(1, 10**6),
        id=TEXT,
    ),
    "trade_bar": st.builds(
        events.TradeBar,
        **COMMON,
        interval_us=st.integers(1, 10**9),
        open=PRICE,
        high=PRICE,
        low=PRICE,
        close=PRICE,
        buy_quantity=AMOUNT,
        sell_quantity=AMOUNT,
        buy_usd=AMOUNT,
        sell_usd=AMOUNT,
        trades=st.integers(0, 10**6),
    ),
    "mark_price": st.builds(
        events.MarkPrice,
        **COMMON,
        mark_price=PRICE,
        index_price=given_or_unset(PRICE),
        funding_rate=given_or_unset(FINITE),
        next_funding_time_us=given_or_unset(MICROS),
    ),
    "open_interest": st.builds(events.OpenInterest, **COMMON, open_interest=AMOUNT, open_interest_usd=AMOUNT),
    "volatility_index": st.builds(events.VolatilityIndex, **COMMON, value=AMOUNT),
    "gap": st.builds(
        events.Gap,
        **COMMON,
        channel=choice(events.Channel),
        from_us=MICROS,
        to_us=MICROS,
        reason=choice(events.GapReason),
        backfilled=st.booleans(),
    ),
    "heartbeat": st.builds(events.Heartbeat, **COMMON, channel=choice(events.Channel)),
    "signal": st.builds(
        signals.Signal,
        episode_id=TEXT,
        revision=st.integers(0, 10**6),
        asset=TEXT,
        phase=choice(signals.Phase),
        previous_phase=choice(signals.Phase),
        direction=choice(events.Side),
        risk_score=SCORE,
        event_time_us=MICROS,
        emitted_time_us=MICROS,
        started_us=MICROS,
        price=st.none() | PRICE,
        drawdown_pct=FINITE,
        liquidated_usd=TOTALS,
        windows=st.dictionaries(
            st.sampled_from(["10s", "1m"]),
            st.builds(signals.WindowTotals, long=AMOUNT, short=AMOUNT, count=st.integers(0, 10**6)),
        ),
        evidence=st.lists(
            st.builds(signals.Evidence, feature=TEXT, value=FINITE, baseline=FINITE, contribution=FINITE),
            max_size=3,
        ),
        coverage=st.builds(
            signals.SignalCoverage,
            venues_seen=st.lists(TEXT, max_size=3),
            venues_in_gap=st.lists(TEXT, max_size=3),
            complete_share=st.floats(0, 1),
        ),
        notes=st.lists(TEXT, max_size=2),
        open_interest=given_or_unset(
            st.builds(
                signals.SignalInterest,
                usd=AMOUNT,
                age_s=st.integers(0, 10**6),
                suspect=st.booleans(),
                changes=st.dictionaries(
                    st.sampled_from(["5m", "30d"]),
                    st.builds(
                        signals.InterestChange,
                        usd=FINITE,
                        constant_price=FINITE,
                        price_effect=FINITE,
                        covered=st.floats(0, 1),
                        coins=given_or_unset(FINITE),
                    ),
                ),
                coins=given_or_unset(AMOUNT),
                implied_forced_ratio=given_or_unset(FINITE),
            )
        ),
        levels=given_or_unset(
            st.lists(
                st.builds(
                    signals.SignalLevel,
                    price=PRICE,
                    state=choice(signals.LevelState),
                    broken=st.booleans(),
                    distance_ratio=FINITE,
                    broken_us=given_or_unset(MICROS),
                ),
                max_size=2,
            )
        ),
        holders=given_or_unset(
            st.lists(
                st.builds(
                    signals.SignalHolding,
                    holder=TEXT,
                    quantity=AMOUNT,
                    average_cost_usd=PRICE,
                    as_of=TEXT,
                    pnl_usd=FINITE,
                    distance_ratio=FINITE,
                    distance_sigma=FINITE,
                    equity_ratio=given_or_unset(FINITE),
                ),
                max_size=2,
            )
        ),
        funding_8h=given_or_unset(FINITE),
        funding_z=given_or_unset(FINITE),
        basis_bp=given_or_unset(FINITE),
        basis_dispersion_bp=given_or_unset(FINITE),
        dvol=given_or_unset(
            st.builds(signals.SignalVolatility, value=AMOUNT, surprise=AMOUNT, change_24h=given_or_unset(FINITE))
        ),
        pace=given_or_unset(
            st.builds(
                signals.SignalPace,
                covered_7d=st.floats(0, 1),
                covered_30d=st.floats(0, 1),
                day_to_week=given_or_unset(AMOUNT),
                day_to_rest_of_week=given_or_unset(AMOUNT),
                week_to_month=given_or_unset(AMOUNT),
                week_to_rest_of_month=given_or_unset(AMOUNT),
            )
        ),
        taker_variance_ratio=given_or_unset(AMOUNT),
        tradfi=given_or_unset(
            st.builds(signals.SignalTradfi, index=TEXT, stress=AMOUNT, move_ratio=AMOUNT, volatility_ratio=AMOUNT)
        ),
        fragility=given_or_unset(st.floats(0, 1)),
    ),
}
RECORDS = st.one_of(list(STRATEGIES.values()))
VALIDATORS = {name: jsonschema.Draft202012Validator(schema) for name, schema in json_schemas().items()}

GOOD: dict[str, Any] = {
    "type": "liquidation",
    "venue": "bybit",
    "symbol": "BTCUSDT",
    "asset": "BTC",
    "event_time_us": 1,
    "receive_time_us": 2,
    "side": "long",
    "notional_usd": 10.0,
    "coverage": "complete",
    "id": "1",
}
EPISODE = {
    "episode_id": "BTC-1",
    "asset": "BTC",
    "direction": "long",
    "started_us": 1,
    "cascade_us": 2,
    "peak_us": 3,
    "relief_us": None,
    "ended_us": None,
    "peak_score": 88.5,
    "liquidated_usd": {"long": 1.5, "short": 0},
}
SUMMARY: dict[str, Any] = {
    "type": "summary",
    "events": 5,
    "liquidations": 2,
    "liquidated_usd": {"long": 1.5, "short": 0},
    "rejected": 0,
    "first_event_us": 1,
    "last_event_us": 9,
    "elapsed_s": 0.1,
    "events_per_s": 50.0,
    "episodes": [EPISODE],
}


def tag(record: msgspec.Struct) -> str:
    return str(record.__struct_config__.tag)


def differences(inner: Any, outer: Any, path: str = "") -> Iterator[str]:
    """Return the paths at which a Struct and the contract model read from its JSON differ."""
    if isinstance(inner, msgspec.Struct):
        for name in inner.__struct_fields__:
            value = getattr(inner, name)
            yield from differences(None if value is msgspec.UNSET else value, getattr(outer, name), f"{path}.{name}")
    elif isinstance(inner, dict):
        if inner.keys() != outer.keys():
            yield path
        for key, value in inner.items():
            yield from differences(value, outer[key], f"{path}.{key}")
    elif isinstance(inner, list):
        if len(inner) != len(outer):
            yield path
        for index, (one, other) in enumerate(zip(inner, outer, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif inner != outer:
        yield path


@given(RECORDS)
def test_record_reads_back_through_its_contract(record: msgspec.Struct) -> None:
    """Every internal record's JSON validates as its contract model and carries the same values."""
    model = CONTRACTS[tag(record)].model_validate_json(msgspec.json.encode(record))
    assert list(differences(record, model)) == []


@given(RECORDS)
def test_record_satisfies_its_json_schema(record: msgspec.Struct) -> None:
    """Every internal record's JSON satisfies the published JSON Schema."""
    document = json.loads(msgspec.json.encode(record))
    assert list(VALIDATORS[tag(record)].iter_errors(document)) == []


def test_every_record_has_a_contract() -> None:
    """A new kind of event or signal cannot be left out of the schemas, nor out of the random records here."""
    kinds = {kind.__struct_config__.tag for kind in (*typing.get_args(events.AnyEvent), signals.Signal)}
    assert kinds == STRATEGIES.keys()
    assert kinds <= CONTRACTS.keys()


def test_bounds_are_not_checked_when_a_record_is_decoded() -> None:
    """They cost the decoder nothing: a value out of them is read, and refused by the ranges with its own reason."""
    line = json.dumps(GOOD | {"notional_usd": -7.0, "orders": 0, "venue": ""})
    read = msgspec.json.decode(line, type=events.Liquidation)
    assert (read.notional_usd, read.orders, read.venue) == (-7.0, 0, "")
    with pytest.raises(ValidationError, match="3 validation errors"):
        checked(events.Liquidation, line)


def test_the_innermost_bounds_and_the_outermost_text_of_a_field_hold() -> None:
    """A type's bounds hold for every field of it; a field's own text replaces the type's."""
    assert json_schema("signal")["properties"]["started_us"] == {
        "description": "Market time of the episode's start.",
        "minimum": 0,
        "title": "Started Us",
        "type": "integer",
    }
    assert texts(events.Gap)["from_us"] == "Microseconds since the Unix epoch, UTC."
    assert texts(events.Gap)["event_time_us"] == "Time of the event by the venue's clock, in microseconds, UTC."


@given(RECORDS, st.dictionaries(st.text("xyz", min_size=1), st.integers()))
def test_unknown_fields_are_ignored(record: msgspec.Struct, more: dict[str, int]) -> None:
    """A record with additional fields of a later release can be read."""
    document = json.loads(msgspec.json.encode(record)) | {f"new_{key}": value for key, value in more.items()}
    CONTRACTS[tag(record)].model_validate(document)
    VALIDATORS[tag(record)].validate(document)


@pytest.mark.parametrize("name", CONTRACTS)
def test_schema_is_valid_and_describes_itself(name: str) -> None:
    """Each JSON Schema is valid 2020-12 and names its record and its dialect."""
    schema = json_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["$id"] == f"urn:cascade-monitor:{name}.v1"
    assert schema["description"]
    assert schema.get("additionalProperties", True) is True


def test_records_without_a_tag_are_required_to_name_their_type() -> None:
    """The type field is required of every record that has one."""
    for name, model in CONTRACTS.items():
        if "type" in model.model_fields:
            assert "type" in json_schema(name)["required"], name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("notional_usd", -1.0),
        ("notional_usd", "NaN"),
        ("side", "buy"),
        ("orders", 0),
        ("price", 0.0),
        ("venue", ""),
    ],
)
def test_bad_liquidation_is_refused(field: str, value: object) -> None:
    """A liquidation with an invalid value does not validate."""
    assert checked(events.Liquidation, json.dumps(GOOD)).orders == 1
    with pytest.raises(ValidationError, match=field):
        CONTRACTS["liquidation"].model_validate(GOOD | {field: value})


def test_summary_of_a_replay_validates_and_an_empty_one_too() -> None:
    """The last line of a replay validates, with null times if there were no events."""
    assert checked(Summary, json.dumps(SUMMARY)).episodes[0].relief_us is None
    empty = SUMMARY | {"events": 0, "first_event_us": None, "last_event_us": None, "episodes": []}
    assert checked(Summary, json.dumps(empty)).first_event_us is None
    VALIDATORS["summary"].validate(SUMMARY)
    VALIDATORS["summary"].validate(empty)


RAW = {"venue": "okx", "channel": "public-0", "receive_time_us": 1}


@pytest.mark.parametrize("frame", [{"frame": "{}"}, {"frame_base64": "e30="}])
def test_recording_holds_text_or_base64(frame: dict[str, str]) -> None:
    """A raw line with either form of frame validates, by model and by schema."""
    CONTRACTS["recording"].model_validate(RAW | frame)
    VALIDATORS["recording"].validate(RAW | frame)


@pytest.mark.parametrize("frame", [{}, {"frame": "{}", "frame_base64": "e30="}])
def test_recording_with_no_or_two_frames_is_refused(frame: dict[str, str]) -> None:
    """A raw line must hold exactly one frame, by model and by schema."""
    with pytest.raises(ValidationError, match="exactly one"):
        CONTRACTS["recording"].model_validate(RAW | frame)
    assert not VALIDATORS["recording"].is_valid(RAW | frame)


def test_decode_error_counts_lines_from_one() -> None:
    """A line number of 0 does not validate."""
    assert checked(DecodeError, b'{"line": 1, "error": "no JSON"}').line == 1
    with pytest.raises(ValidationError):
        CONTRACTS["decode_error"](line=0, error="no JSON")


def test_models_are_frozen() -> None:
    """A record does not change after creation."""
    error: BaseModel = CONTRACTS["decode_error"](line=1, error="no JSON")
    with pytest.raises(ValidationError, match="frozen"):
        error.line = 2  # type: ignore[attr-defined]
