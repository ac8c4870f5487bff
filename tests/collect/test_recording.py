"""Recordings are read line by line, whatever they hold, and give back what was written."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.collect.recording import (
    BadLine,
    Recorder,
    read,
    read_file,
)
from monitor.model.events import Event, Gap, Heartbeat, Liquidation, MarkPrice, OpenInterest, TradeBar
from monitor.model.lines import RawFrame

AT = 1_700_000_000_000_000
BASE = {"venue": "bybit", "symbol": "BTCUSDT", "asset": "BTC", "event_time_us": AT, "receive_time_us": AT}
LIQUIDATION = BASE | {"type": "liquidation", "side": "long", "notional_usd": 5, "coverage": "complete", "id": "a"}
TRADE = (
    BASE
    | {"type": "trade", "taker_side": "buy", "price": 1.0, "quantity": 2.0, "notional_usd": 2.0}
    | {
        "trades": 1,
        "id": "t",
    }
)
BAR = (
    BASE
    | {"type": "trade_bar", "interval_us": 100_000, "open": 1, "high": 2, "low": 1, "close": 2, "trades": 3}
    | {
        "buy_quantity": 1,
        "sell_quantity": 0,
        "buy_usd": 2,
        "sell_usd": 0,
    }
)
MARK = BASE | {"type": "mark_price", "mark_price": 1.5}
INTEREST = BASE | {"type": "open_interest", "open_interest": 0, "open_interest_usd": 0}
GAP = BASE | {"type": "gap", "channel": "liquidations", "from_us": AT - 5, "to_us": AT, "reason": "stale"}
BEAT = BASE | {"type": "heartbeat", "channel": "trades"}
INDEX = BASE | {"type": "volatility_index", "value": 55.5}


def line(content: dict[str, Any], **changes: object) -> bytes:
    """One line of a file; NaN and infinities are written as Python writes them."""
    return json.dumps(content | changes).encode() + b"\n"


@pytest.mark.parametrize(
    "content", [LIQUIDATION, TRADE, BAR, MARK, INTEREST, GAP, BEAT, INDEX], ids=lambda content: content["type"]
)
def test_events_of_every_type_come_back(content: dict[str, Any]) -> None:
    """An event line becomes the record, field for field; unknown fields are ignored."""
    (event,) = read([line(content, someday="more")])
    assert isinstance(event, Event)
    given = json.loads(msgspec.json.encode(event))
    assert {key: given[key] for key in content} == content


@pytest.mark.parametrize(
    ("content", "changes", "reason"),
    [
        (LIQUIDATION, {"notional_usd": float("nan")}, "not_finite"),
        (LIQUIDATION, {"notional_usd": float("inf")}, "not_finite"),
        (LIQUIDATION, {"notional_usd": -5}, "not_positive"),
        (LIQUIDATION, {"quantity": 0}, "not_positive"),
        (LIQUIDATION, {"price": -1}, "not_positive"),
        (LIQUIDATION, {"orders": 0}, "not_positive"),
        (LIQUIDATION, {"asset": ""}, "unknown_symbol"),
        (LIQUIDATION, {"side": "both"}, "malformed"),
        (LIQUIDATION, {"event_time_us": AT + 5_000_001}, "future_time"),
        (LIQUIDATION, {"event_time_us": 0}, "bad_time"),
        (LIQUIDATION, {"event_time_us": 1_700_000_000}, "bad_time"),
        (TRADE, {"price": 0}, "not_positive"),
        (BAR, {"buy_usd": -1}, "not_positive"),
        (BAR, {"low": 0}, "not_positive"),
        (MARK, {"index_price": 0}, "not_positive"),
        (INTEREST, {"open_interest": -1}, "not_positive"),
        (GAP, {"from_us": AT + 1}, "bad_time"),
        (INDEX, {"value": -3}, "not_positive"),
        (MARK, {"type": "rumour"}, "malformed"),
    ],
)
def test_events_that_cannot_be_true_are_bad_lines(
    content: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    """Each is reported with its line and the reason that a live frame would have had; its neighbours come out."""
    before, bad, after = read([line(MARK), line(content, **changes), line(MARK)])
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.reason) == (2, reason)
    assert bad.detail
    assert before == after


def test_decoded_events_have_no_time_of_receipt() -> None:
    """What ``decode`` printed has 0 there, and is not measured against it."""
    (event,) = read([line(LIQUIDATION, receive_time_us=0)])
    assert isinstance(event, Liquidation)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"garbage", "malformed"),
        (b"[1]", "malformed"),
        (b'{"a":1}', "malformed"),
        (b'{"venue":"x","channel":"c","receive_time_us":1}', "malformed"),
        (b'{"venue":"x","channel":"c","receive_time_us":1,"frame":5}', "malformed"),
        (b'{"type":"mark_price","mark_price":1e999}', "not_finite"),
        (b'{"venue":"x","channel":"feeds","receive_time_us":1,"frame":"{"}', "malformed"),
        (
            line({"venue": "x", "channel": "feeds", "receive_time_us": 1, "frame": json.dumps(GAP | {"to_us": 0})}),
            "bad_time",
        ),
        (b"[" * 100_000, "malformed"),
    ],
)
def test_lines_of_neither_form_are_bad_lines(text: bytes, reason: str) -> None:
    """Whatever a line holds, it is reported, never raised."""
    (bad,) = read([text])
    assert isinstance(bad, BadLine)
    assert bad.reason == reason


@given(lines=st.lists(st.binary(max_size=60)))
def test_any_lines_are_read(lines: list[bytes]) -> None:
    """Garbage of any kind gives one item for each line that is not blank."""
    assert len(list(read(lines))) == sum(bool(text.strip()) for text in lines)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_what_was_recorded_comes_back(tmp_path: Path, name: str) -> None:
    """Text, bytes, REST answers and the collector's events come back as they were, in order, across two sittings."""
    path = tmp_path / name
    gap = Gap("bybit", "*", "*", AT, AT, "liquidations", AT - 9, AT, "disconnect")
    beat = Heartbeat("bybit", "*", "*", AT, AT, "trades")
    with Recorder(path) as recorder:
        recorder.frame("bybit", "linear-0", AT, '{"topic":"ü"}'.encode())
        recorder.frame("htx", "market-0", AT + 1, b"\x1f\x8b\xff")
        recorder.instruments("okx", AT + 2, b'{\n"code":"0"}')
        assert recorder.frames == 3
    with Recorder(path) as recorder:
        recorder.event(gap)
        recorder.event(beat)
    text, binary, body, first, second = read_file(path)
    assert isinstance(text, RawFrame)
    assert isinstance(binary, RawFrame)
    assert isinstance(body, RawFrame)
    assert (text.venue, text.channel, text.receive_time_us, text.content) == (
        "bybit",
        "linear-0",
        AT,
        '{"topic":"ü"}'.encode(),
    )
    assert binary.content == b"\x1f\x8b\xff"
    assert (body.channel, body.content) == ("instruments", b'{\n"code":"0"}')
    assert (first, second) == (gap, beat)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_second_of_receive_time_is_the_most_that_is_not_on_disk(tmp_path: Path, name: str) -> None:
    """Frames can be read while the recording goes on, up to the last flush."""
    path = tmp_path / name
    with Recorder(path) as recorder:
        recorder.frame("bybit", "c", AT, b"1")
        recorder.frame("bybit", "c", AT + 500_000, b"2")
        recorder.frame("bybit", "c", AT + 1_000_000, b"3")
        recorder.frame("bybit", "c", AT + 1_500_000, b"4")
        frames = [item.content for item in read_file(path) if isinstance(item, RawFrame)]
    assert frames == [b"1", b"2", b"3"]


def test_a_file_cut_off_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    """A compressed file without its end, as a crash leaves it, is read up to there and then reported."""
    path = tmp_path / "cut.gz"
    whole = gzip.compress(b"".join(line(MARK, mark_price=number + 1) for number in range(2000)))
    path.write_bytes(whole[: len(whole) // 2])
    *events, last = read_file(path)
    assert len(events) > 100
    assert all(isinstance(event, MarkPrice) for event in events)
    assert isinstance(last, BadLine)
    assert "cut off" in last.detail


KILLED = """
import sys
from pathlib import Path
from monitor.collect.recording import Recorder

recorder = Recorder(Path(sys.argv[1]))
for number in range(1_000_000):
    recorder.frame("bybit", "linear-0", 1_700_000_000_000_000 + number * 10_000, b'{"number":%d}' % number)
    print(number, flush=True)
"""
"""A recorder of a frame every 10 ms of receive time, which goes on until it is killed."""


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_killed_recorder_loses_at_most_a_second(tmp_path: Path, name: str) -> None:
    """After SIGKILL all frames but those of the last second are there, also behind them what the next recorder adds."""
    path = tmp_path / name
    for sitting in range(3):
        with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE) as recorder:
            assert recorder.stdout is not None
            for line_ in recorder.stdout:
                if int(line_) >= 1_000 + 37 * sitting:
                    recorder.kill()
                    break
    numbers = [msgspec.json.decode(item.content)["number"] for item in read_file(path) if isinstance(item, RawFrame)]
    starts = [index for index, number in enumerate(numbers) if number == 0]
    sittings = [numbers[start:end] for start, end in itertools.pairwise([*starts, len(numbers)])]
    assert [frames == list(range(len(frames))) for frames in sittings] == [True] * 3
    assert all(len(frames) >= 1_000 + 37 * sitting - 100 for sitting, frames in enumerate(sittings))
    assert sum(isinstance(item, BadLine) for item in read_file(path)) <= 3


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_recording_cut_anywhere_keeps_its_whole_records(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """Whatever a crash leaves of a file, the whole records before the cut and all that are appended later are read."""
    path = tmp_path / name
    path.unlink(missing_ok=True)
    ends = [0]
    with Recorder(path) as recorder:
        for number in range(8):
            recorder.frame("bybit", "c", AT + number * 1_000_000, b"%d" % number)  # a flush each
            ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]), label="bytes left")
    os.truncate(path, cut)
    with Recorder(path) as recorder:
        recorder.frame("bybit", "c", AT + 9_000_000, b"later")
    items = list(read_file(path))
    whole = sum(0 < end <= cut for end in ends)
    frames = [item.content for item in items if isinstance(item, RawFrame)]
    # A line or a member of which only the last bytes are missing may be whole as well.
    assert frames in ([b"%d" % number for number in range(count)] + [b"later"] for count in (whole, whole + 1))
    bad = [item for item in items if isinstance(item, BadLine)]
    assert len(bad) == (cut not in ends and (name.endswith(".gz") or cut + 1 not in ends))


def test_a_file_that_ends_within_a_record_is_named_so(tmp_path: Path) -> None:
    """The last line of a plain file without its end is reported as cut off, with the bytes that are lost."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(MARK) + line(MARK)[:30])
    whole, bad = read_file(path)
    assert isinstance(whole, MarkPrice)
    assert bad == BadLine(2, "malformed", "the recording is cut off here, in mid-record (30 bytes are lost)")


def test_a_cut_between_two_records_is_named_so(tmp_path: Path) -> None:
    """Compressed data without its end mark whose records are all whole is reported once, without a loss."""
    stream = zlib.compressobj(3, wbits=31)
    path = tmp_path / "a.gz"
    path.write_bytes(stream.compress(line(MARK) + line(MARK).rstrip()) + stream.flush(zlib.Z_SYNC_FLUSH))
    first, second, bad = read_file(path)
    assert isinstance(first, MarkPrice)
    assert isinstance(second, MarkPrice)
    assert isinstance(bad, BadLine)
    assert bad.detail.startswith("the recording is cut off here, between two records: ")


def test_the_first_bytes_tell_a_compressed_file(tmp_path: Path) -> None:
    """A compressed file is read as one whatever its name; a plain one too."""
    (tmp_path / "plain.gz").write_bytes(line(INTEREST))
    (tmp_path / "zipped.jsonl").write_bytes(gzip.compress(line(BAR)))
    assert [type(item) for item in read_file(tmp_path / "plain.gz")] == [OpenInterest]
    assert [type(item) for item in read_file(tmp_path / "zipped.jsonl")] == [TradeBar]
