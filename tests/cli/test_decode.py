"""``decode`` prints the events of raw frames, reports what it cannot read, and says so by its exit status."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.cli.decode import FrameSource, carries_data, plain_frame, run
from monitor.collect.playback import Playback
from monitor.collect.recording import Recorder, read_file
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.registry import ADAPTERS
from monitor.model.errors import OperatorError
from monitor.model.events import Gap
from tests.exchanges.cases import ALL_CASES, FOLDER, Case, cases_of, compact, known_instruments

GOOD = compact(
    {
        "topic": "allLiquidation.BTCUSDT",
        "ts": 1764000000122,
        "data": [
            {"T": 1764000000120, "s": "BTCUSDT", "S": "Buy", "v": "2", "p": "100"},
            {"T": 1764000000120, "s": "BTCUSDT", "S": "Sell", "v": "NaN", "p": "100"},
            {"T": 1764000000120, "s": "BTCUSDT", "S": "Sell", "v": "1", "p": "100"},
        ],
    }
)


def decoded(
    venue: str, lines: list[bytes], instruments: Path | None = None, **options: Any
) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """Exit status, printed events, reported errors."""
    return decoded_stream(venue, b"".join(text + b"\n" for text in lines), instruments, **options)


def decoded_stream(
    venue: str, content: bytes, instruments: Path | None = None, **options: Any
) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """Exit status, printed events, reported errors."""
    out, err = io.BytesIO(), io.StringIO()
    status = run(venue, instruments, io.BytesIO(content), out, err, **options)
    return (
        status,
        [json.loads(text) for text in out.getvalue().splitlines()],
        [json.loads(text) for text in err.getvalue().splitlines()],
    )


def test_good_rows_come_out_and_bad_ones_are_reported_by_line() -> None:
    """A bad row costs only itself, garbage costs its line, and both make the exit status 1."""
    status, events, errors = decoded(
        "bybit", [b'{"success":true,"op":"subscribe","req_id":"1"}', b"", GOOD, b"oops", GOOD]
    )
    assert status == 1
    assert [(event["type"], event["side"], event["notional_usd"]) for event in events] == [
        ("liquidation", "long", 200.0),
        ("liquidation", "short", 100.0),
    ] * 2
    assert [error["line"] for error in errors] == [3, 4, 5]
    assert errors[0]["error"].startswith("not_finite: ")
    assert errors[1]["error"].startswith("malformed: ")
    assert {event["receive_time_us"] for event in events} == {0}


def test_control_frames_print_nothing_and_are_no_error() -> None:
    """Acknowledgements, pings and refusals of every venue are read in silence."""
    for venue in ADAPTERS:
        frames = [compact(frame) for case in cases_of(venue) if case.file == "control" for frame in case.frames]
        assert decoded(venue, frames) == (0, [], [])


@pytest.mark.parametrize("venue", ADAPTERS)
def test_frames_of_every_venue_are_decoded(venue: str) -> None:
    """The hand-written liquidations come out of the command as they come out of the adapter; CRLF does no harm."""
    table = FOLDER / venue / "_instruments.json"
    cases = [case for case in ALL_CASES if case.venue == venue and case.file == "liquidations" and not case.received_us]
    cases = [case for case in cases if not case.blind]
    lines = [compact(frame) + b"\r" for case in cases for frame in case.frames]
    status, events, errors = decoded(venue, lines, table if table.exists() else None)
    assert (status, errors) == (0, [])
    expected = [event for case in cases for event in case.expect if "type" in event]
    assert [(event["type"], event.get("id")) for event in events] == [(e["type"], e.get("id")) for e in expected]


def test_contracts_without_sizes_are_reported_with_the_remedy() -> None:
    """OKX without ``--instruments`` prints no event; the error says what to give."""
    frame = compact(next(case for case in cases_of("okx") if case.file == "trades").frames[0])
    status, events, (error,) = decoded("okx", [frame])
    assert (status, events) == (1, [])
    assert "--instruments" in error["error"]


def test_an_unknown_venue_is_an_error_for_people() -> None:
    """A mistyped venue is answered with the nearest."""
    with pytest.raises(OperatorError, match="did you mean 'okx'"):
        decoded("okex", [])


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        (base64.b64encode(gzip.compress(b'{"a":1}', mtime=0)), gzip.compress(b'{"a":1}', mtime=0)),
        (b"H4sI is no base64", b"H4sI is no base64"),
        (b'{"a":1}', b'{"a":1}'),
    ],
    ids=["compressed", "not base64", "plain"],
)
def test_a_compressed_frame_is_a_line_of_base64(line: bytes, frame: bytes) -> None:
    """Its bytes are what the adapter reads; every other line is the frame itself."""
    assert plain_frame(line) == frame


@pytest.mark.parametrize("venue", [venue for venue in ADAPTERS if not (FOLDER / venue / "_instruments.json").exists()])
def test_a_table_of_other_symbols_costs_no_readable_one(venue: str, tmp_path: Path) -> None:
    """Where names show the unit, an instruments file adds to them: the symbols that it lacks are read as before."""
    table = tmp_path / "instruments.json"
    table.write_text('{"LISTEDUSDT": {"contract_size": 10, "contract_value_currency": "base"}}')
    lines = [compact(f) for case in cases_of(venue) if case.file != "control" for f in case.frames]
    assert decoded(venue, lines, table) == decoded(venue, lines)


def test_a_table_gives_the_size_of_what_a_name_does_not_show(tmp_path: Path) -> None:
    """BingX' coin-margined contracts are read with their size, beside a symbol that the table lacks."""
    table = tmp_path / "instruments.json"
    table.write_text('{"BTC-USD": {"contract_size": 100, "contract_value_currency": "usd"}}')
    row = {"q": "5", "p": "80000", "T": 1_764_000_000_120, "m": False}
    lines = [compact({"dataType": f"{s}@trade", "data": [row | {"s": s}]}) for s in ("BTC-USD", "ETH-USDT", "ETH-USD")]
    status, events, errors = decoded("bingx", lines, table)
    assert [(event["symbol"], event["notional_usd"]) for event in events] == [("BTC-USD", 500), ("ETH-USDT", 400_000)]
    assert (status, [error["line"] for error in errors]) == (1, [3])


@pytest.mark.parametrize("time", ["1764000000120000", "2025-11-24T16:00:00.12Z", "2025-11-24T16:00:00.120000"])
def test_a_time_of_receipt_dates_what_an_exchange_does_not(time: str) -> None:
    """Hyperliquid's contexts, Lighter's state of 2025 and BitMEX' liquidations bear the time that the option gives."""
    context = {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": {"markPx": "80000", "openInterest": "5"}}}
    status, events, errors = decoded("hyperliquid", [compact(context)], receive_time=time)
    assert (status, errors) == (0, [])
    assert {(event["event_time_us"], event["receive_time_us"]) for event in events} == {(1_764_000_000_120_000,) * 2}
    assert decoded("hyperliquid", [compact(context)])[0] == 1
    order = {"orderID": "a", "symbol": "XBTUSD", "side": "Buy", "price": 80_000, "leavesQty": 9_000}
    _, (event,), _ = decoded(
        "bitmex", [compact({"table": "liquidation", "action": "insert", "data": [order]})], receive_time=time
    )
    assert event["event_time_us"] == 1_764_000_000_120_000


@pytest.mark.parametrize("time", ["yesterday", "0", "1764000000", "-5", "2025-13-01"])
def test_a_time_of_receipt_that_is_none_is_an_error_for_people(time: str) -> None:
    """Seconds are not taken for microseconds."""
    with pytest.raises(OperatorError, match="--receive-time"):
        decoded("okx", [], receive_time=time)


@pytest.mark.parametrize("name", ["frames.jsonl", "frames.jsonl.gz"])
def test_a_recording_is_decoded_as_it_is_played_back(name: str, tmp_path: Path) -> None:
    """Its frames have their times of receipt, its tables the contract sizes; other exchanges' lines are left out."""
    path = tmp_path / name
    now_us = 1_764_000_000_500_000
    with Recorder(path) as recorder:
        row = {
            "instId": "BTC-USDT-SWAP",
            "ctVal": "0.01",
            "ctMult": "1",
            "ctValCcy": "BTC",
            "ctType": "linear",
            "state": "live",
            "settleCcy": "USDT",
        }
        recorder.instruments("okx", now_us, compact({"code": "0", "data": [row]}))
        for case in cases_of("okx"):
            if case.file in ("trades", "state"):
                for frame in case.frames:
                    recorder.frame("okx", "public-0", now_us, compact(frame))
        recorder.frame("bybit", "linear-0", now_us, GOOD)
        packed = gzip.compress(compact(cases_of("htx")[0].frames[0]), mtime=0)
        recorder.frame("htx", "linear-trades-0", now_us, packed)
        recorder.event(Gap("okx", "*", "*", now_us, now_us, "trades", now_us - 5, now_us, "disconnect"))
    played = Playback({"": read_file(path)})
    expected = [json.loads(msgspec.json.encode(event)) for event in played if event.venue == "okx"]
    status, events, errors = decoded_stream("okx", path.read_bytes())
    assert events == expected
    assert len(events) > 5
    assert {event["receive_time_us"] for event in events} == {now_us}
    assert status == bool(errors)
    assert decoded_stream("htx", path.read_bytes())[0] in (0, 1)


def test_a_recording_that_is_cut_off_gives_what_it_holds() -> None:
    """A gzip without its end is an error of its last line, after the events before."""
    packed = gzip.compress(GOOD + b"\n" + b" " * 50_000, mtime=0)[:-12]
    status, events, errors = decoded_stream("bybit", packed)
    assert (status, len(events)) == (1, 2)
    assert "cut off" in errors[-1]["error"]


def test_a_recording_is_decoded_behind_the_place_where_its_writer_was_killed() -> None:
    """The cut is one error with the bytes that are lost, and the next writer's frames are decoded."""
    killed = zlib.compressobj(wbits=31)
    part = killed.compress(GOOD + b"\n" + GOOD[:40]) + killed.flush(zlib.Z_SYNC_FLUSH)
    status, events, errors = decoded_stream("bybit", part + gzip.compress(GOOD + b"\n", mtime=0))
    assert (status, len(events)) == (1, 4)
    (error,) = (each for each in errors if "cut off here" in each["error"])
    assert error["line"] == 2
    assert "in mid-record (40 bytes are lost)" in error["error"]


EMPTY = {("htx", "no rows")}
"""Frames without rows whose envelope has numbers of its own below the first level."""


def test_no_hand_written_frame_is_lost_in_silence() -> None:
    """Each frame that carries data makes an event, a reject, a control message or a counted skipped row."""
    unused = {
        (case.venue, case.about)
        for case in ALL_CASES
        for source in [FrameSource(ADAPTERS[case.venue], table_of(case), case.received_us)]
        for frame in case.frames
        for content, messages in [source.read(compact(frame))]
        if not messages and carries_data(content)
    }
    assert unused == EMPTY


def table_of(case: Case) -> dict[str, Instrument] | None:
    """The instruments of a case."""
    path = FOLDER / case.venue / "_instruments.json"
    return known_instruments(path) if path.exists() and not case.blind else None


def test_strict_reports_frames_that_yield_nothing() -> None:
    """Data without an event or a counted row is an error of its line; an empty push and a greeting are not."""
    lost = compact({"ch": "market.BTC-USDT.trade.detail", "ts": 1, "tick": {"id": 131602265, "ts": 1764000000121}})
    empty = compact({"topic": "publicTrade.BTCUSDT", "ts": 1764000000122, "data": []})
    assert decoded("htx", [lost]) == (0, [], [])
    status, events, errors = decoded("htx", [b"", lost], strict=True)
    assert (status, events) == (1, [])
    assert errors == [{"line": 2, "error": "unused: the frame carries data and yields nothing"}]
    assert decoded("bybit", [empty], strict=True) == (0, [], [])
    assert decoded("kraken", [b'{"event":"info","version":1}'], strict=True) == (0, [], [])


@pytest.mark.parametrize(
    ("frame", "carries"),
    [
        (b'{"data":[{"p":"1.5"}]}', True),
        (b'{"data":[],"ts":1764000000000}', False),
        (b'{"arg":{"channel":"trades","instId":"BTC"},"data":[]}', False),
        (b"[7,[[1,2]]]", True),
        (b'[7,"hb",3]', False),
        (b'{"data":{"ok":true,"x":null}}', False),
        (gzip.compress(b'{"tick":{"close":1}}', mtime=0), True),
        (b"pong", False),
    ],
)
def test_data_are_numbers_below_the_envelope(frame: bytes, carries: bool) -> None:
    """Numbers of the envelope itself, words and empty lists are no data."""
    assert carries_data(frame) is carries
