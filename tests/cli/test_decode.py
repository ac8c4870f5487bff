"""``decode`` prints the events of raw frames, reports what it cannot read, and says so by its exit status."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from monitor.cli.decode import plain_frame, run
from monitor.exchanges.registry import ADAPTERS
from monitor.model.errors import OperatorError
from tests.exchanges.cases import ALL_CASES, FOLDER, cases_of, compact

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
    venue: str, lines: list[bytes], instruments: Path | None = None
) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """Exit status, printed events, reported errors."""
    out, err = io.BytesIO(), io.StringIO()
    status = run(venue, instruments, io.BytesIO(b"".join(text + b"\n" for text in lines)), out, err)
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
