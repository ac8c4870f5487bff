from __future__ import annotations

import gzip
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from monitor.cli.main import cli
from monitor.cli.replay import BATCH, play, run
from monitor.collect.playback import FrameReader, Playback
from monitor.collect.recording import INSTRUMENTS, Recorder, read
from monitor.collect.rest.instruments import InstrumentTable
from monitor.detect.detector import Detector
from monitor.exchanges.bybit.adapter import Bybit as BybitAdapter
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.memory import Latest, Memory
from monitor.exchanges.messages import Message
from monitor.exchanges.registry import ADAPTERS
from monitor.lab.simulate.exchanges.bybit import Bybit
from monitor.lab.simulate.exchanges.okx import Okx
from monitor.lab.simulate.listings import ASSETS
from monitor.model.errors import OperatorError
from monitor.model.events import AnyEvent, Heartbeat, Liquidation, MarkPrice, Side, Trade, micro_usd
from monitor.model.lines import RawFrame
from monitor.model.schema import checked
from monitor.model.signals import Signal
from monitor.model.summary import Summary
from monitor.settings import Settings
from tests.detect.poison import UNAPPLIED, poisoned
from tests.e2e.stage import lines, replay, without_clock
from tests.lab.simulate.builders import DIALECTS, QUOTES, T0, order, step
from tests.paths import ROOT

ESCAPE = b"\x1b"


def crash(seconds: int = 400, venue: str = "bybit", offset_us: int = 0) -> list[AnyEvent]:
    """Minutes of calm, then a flood of dead longs under a falling price."""
    events: list[AnyEvent] = []
    for second in range(seconds):
        at_us = T0 + second * 1_000_000 + offset_us
        storm = max(0, second - 300)
        events.append(MarkPrice(venue, "BTCUSDT", "BTC", at_us, at_us, 65_000.0 * (1 - 0.0015 * storm)))
        for number in range(10 if storm else second % 30 == 0):
            usd = 1e6 + 0.1 if storm else 1_000.0 + 0.7
            side: Side = "long" if number % 5 else "short"
            key = f"{venue}:{second}:{number}"
            events.append(Liquidation(venue, "BTCUSDT", "BTC", at_us, at_us, side, usd, "complete", key))
    return events


def write(path: Path, events: Iterable[AnyEvent]) -> Path:
    """An event file; a name that ends in .gz is compressed."""
    content = msgspec.json.Encoder().encode_lines(list(events))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def raw(venue: str, channel: str, frame: bytes, at_us: int = T0) -> RawFrame:
    """One recorded frame."""
    return RawFrame(venue, channel, at_us, frame.decode())


@pytest.fixture
def printed(capsysbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Runs the command in this process and returns what it printed."""

    def go(*files: Path, as_json: bool = True, status: int = 0) -> tuple[bytes, bytes]:
        assert run(files, Settings(), as_json=as_json) == status
        sys.stdout.flush()
        captured = capsysbinary.readouterr()
        return captured.out, captured.err

    return go


def test_summary_is_the_contracts_and_exact(tmp_path: Path, printed: Any) -> None:
    """Signals come first, one summary last; its sums are the file's to the micro-dollar; all match the contract."""
    events = crash()
    out, err = printed(write(tmp_path / "x.jsonl", events))
    *signals, last = out.splitlines()
    assert err == b""
    assert {checked(Signal, line).phase for line in signals} >= {"building", "cascade"}
    summary = checked(Summary, last)
    forced = [event for event in events if isinstance(event, Liquidation)]
    assert (summary.events, summary.liquidations, summary.rejected) == (len(events), len(forced), 0)
    assert (summary.first_event_us, summary.last_event_us) == (T0, T0 + 399 * 1_000_000)
    for side in ("long", "short"):
        exact = sum(micro_usd(event.notional_usd) for event in forced if event.side == side)
        assert micro_usd(getattr(summary.liquidated_usd, side)) == exact
    (episode,) = [one for one in summary.episodes if (one.asset, one.direction) == ("BTC", "long")]
    assert episode.cascade_us is not None
    assert summary.elapsed_s > 0
    assert summary.events_per_s == pytest.approx(summary.events / summary.elapsed_s, rel=1e-3)


def test_what_cannot_be_applied_is_counted_and_shown(
    tmp_path: Path, printed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The summary counts the record and those passed over after it, standard error says what it was."""
    poisoned(monkeypatch)
    at_us = T0 + 10_500_000
    events = crash(20)
    mad = [MarkPrice("okx", "SOL", "SOL", at_us, at_us, UNAPPLIED), MarkPrice("okx", "SOL", "SOL", at_us, at_us, 1.0)]
    events = sorted([*events, *mad], key=lambda event: event.receive_time_us)
    out, err = printed(write(tmp_path / "x.jsonl", events))
    summary = checked(Summary, out.splitlines()[-1])
    assert (summary.events, summary.rejected, summary.unapplied) == (len(events), 0, 2)
    assert b"rejected a record of okx: SOL: a MarkPrice of okx SOL failed" in err


def test_two_replays_print_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the hash seed, only the clock's fields differ between two processes."""
    path = write(tmp_path / "x.jsonl", crash())
    first, second = (replay(path, "--json", cwd=tmp_path, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert first.returncode == second.returncode == 0, first.stderr
    assert without_clock(first.stdout) == without_clock(second.stdout)
    assert len(first.stdout.splitlines()) > 10
    assert first.stderr == b""


def test_gzip_and_standard_input_read_alike(tmp_path: Path, printed: Any) -> None:
    """A plain file, a compressed one and standard input give the same."""
    plain, zipped = write(tmp_path / "x.jsonl", crash()), write(tmp_path / "x.jsonl.gz", crash())
    outputs = [
        printed(plain)[0],
        printed(zipped)[0],
        replay("-", "--json", cwd=tmp_path, stdin=plain.read_bytes()).stdout,
    ]
    assert len({without_clock(output) for output in outputs}) == 1
    assert b'"type":"summary"' in outputs[0]


def test_files_are_merged_by_arrival(tmp_path: Path, printed: Any) -> None:
    """Two files, in either order on the command line, give what one sorted file gives."""
    one, two = crash(), crash(venue="okx", offset_us=400_000)
    both = sorted(one + two, key=lambda event: event.receive_time_us)
    first, second = write(tmp_path / "a.jsonl", one), write(tmp_path / "b.jsonl.gz", two)
    expected = without_clock(printed(write(tmp_path / "both.jsonl", both))[0])
    assert without_clock(printed(first, second)[0]) == expected
    assert without_clock(printed(second, first)[0]) == expected
    assert b"venues_stressed" in expected


def test_event_without_arrival_is_taken_at_its_own_time() -> None:
    """What ``decode`` printed has no receive time; the event's own time places it in the merge."""
    early = Heartbeat("okx", "*", "*", T0, 0, "trades")
    late = Heartbeat("bybit", "*", "*", T0 + 5, T0 + 5, "trades")
    assert list(Playback({"a": [late], "b": [early]})) == [early, late]


def test_bad_lines_are_counted_and_shown(tmp_path: Path, printed: Any) -> None:
    """Lines that cannot be are counted, five are shown with their place, and the others are all taken."""
    path = write(tmp_path / "x.jsonl", crash(100))
    good = len(path.read_bytes().splitlines())
    price = MarkPrice("bybit", "BTCUSDT", "BTC", T0, T0, 1.5)
    nan = msgspec.json.encode(price).replace(b"1.5", b"NaN")
    path.write_bytes(b"garbage\n" * 6 + nan + b"\n\n" + path.read_bytes())
    out, err = printed(path)
    summary = json.loads(out.splitlines()[-1])
    assert (summary["events"], summary["rejected"]) == (good, 7)
    shown = err.decode().splitlines()
    assert len(shown) == 5
    assert shown[0].startswith(f"rejected {path}:1: malformed: ")


def test_file_that_is_cut_off_gives_what_came_before(tmp_path: Path, printed: Any) -> None:
    """A compressed file without its end is read to the cut, and the cut is one rejected line."""
    path = write(tmp_path / "x.jsonl.gz", crash())
    path.write_bytes(path.read_bytes()[:-200])
    out, err = printed(path)
    summary = json.loads(out.splitlines()[-1])
    assert 0 < summary["events"] < len(crash())
    assert summary["rejected"] >= 1
    assert b"cut off here, in mid-record" in err


@pytest.mark.parametrize("content", [b"", b"\n\n", b"garbage\n"])
def test_file_without_events_is_an_error(tmp_path: Path, content: bytes) -> None:
    """The summary still comes, then one line that says what a recording holds, and status 1."""
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    done = CliRunner().invoke(cli, ["replay", str(path), "--json"])
    assert done.exit_code == 1
    summary = checked(Summary, done.stdout)
    assert (summary.events, summary.first_event_us, summary.events_per_s) == (0, None, 0.0)
    assert "no event in " in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    """A file that is not there is said before anything is read."""
    done = CliRunner().invoke(cli, ["replay", str(tmp_path / "nope.jsonl"), "--json"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "does not exist" in done.stderr


def test_unknown_venue_is_an_error_in_words(tmp_path: Path) -> None:
    """Frames of a venue without an adapter cannot be read: the error names the nearest venue."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(msgspec.json.encode(raw("okex", "public", b"{}")) + b"\n")
    done = CliRunner().invoke(cli, ["replay", str(path), "--json"])
    assert done.exit_code == 1
    assert "unknown venue 'okex': did you mean 'okx'?" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(OperatorError, match="okex"):
        FrameReader().events(raw("okex", INSTRUMENTS, b"{}"))


def test_recorded_frames_are_read_with_the_recorded_contracts(tmp_path: Path, printed: Any) -> None:
    """Frames of three venues give the liquidations that their ledgers show; answers of the REST API give none."""
    path = tmp_path / "frames.jsonl.gz"
    dialects = [dialect(ASSETS, QUOTES, T0) for dialect in DIALECTS]
    with Recorder(path) as recorder:
        for dialect in dialects:
            paths = {"bybit": "/v5/market/instruments-info", "okx": "/api/v5/public/instruments"}
            body = dialect.rest(
                paths.get(dialect.venue, "/fapi/v1/exchangeInfo"), {"instType": "SWAP", "category": "linear"}
            )
            assert body is not None
            recorder.instruments(dialect.venue, T0, body)
        recorder.frame("okx", "public-0", T0, b"pong")
        recorder.event(Heartbeat("okx", "*", "*", T0, T0, "liquidations"))
        for end_ms in range(100, 3_000, 100):
            forced = [order(dialect.venue, end_ms - 50, number=end_ms) for dialect in dialects]
            for dialect in dialects:
                for outgoing in [*dialect.frames_for(step(end_ms, forced)), *dialect.flush()]:
                    if dialect.carries_liquidations(outgoing.topic) and outgoing.topic != "!forceOrder@arr":
                        recorder.frame(dialect.venue, "public-0", T0 + end_ms * 1_000, outgoing.frame)
    out, err = printed(path)
    summary = json.loads(out.splitlines()[-1])
    shown = [amount for dialect in dialects for amount in dialect.ledger.shown.values()]
    assert err == b""
    assert (summary["rejected"], summary["liquidations"]) == (0, sum(amount.orders for amount in shown))
    assert summary["events"] == summary["liquidations"] + 1
    assert micro_usd(summary["liquidated_usd"]["long"]) == sum(amount.micro_usd for amount in shown)


def test_frames_without_contracts_are_rejected(printed: Any, tmp_path: Path) -> None:
    """An OKX frame is worth nothing without its contract value: it is counted, never guessed."""
    okx = Okx(ASSETS, QUOTES, T0)
    (frame,) = [*okx.liquidations([order("okx", 10)]), *okx.flush()]
    bybit = Bybit(ASSETS, QUOTES, T0).rest("/v5/market/instruments-info", {"category": "linear"})
    assert bybit is not None
    path = tmp_path / "x.jsonl"
    beat = Heartbeat("okx", "*", "*", T0, T0, "trades")
    items = [
        raw("okx", "public", frame.frame, T0 + 100_000),
        raw("okx", INSTRUMENTS, b'{"data": 5}'),
        raw("bybit", INSTRUMENTS, bybit),
    ]
    path.write_bytes(b"\n".join([*map(msgspec.json.encode, items), msgspec.json.encode(beat)]))
    out, err = printed(path)
    summary = json.loads(out.splitlines()[-1])
    assert (summary["liquidations"], summary["rejected"]) == (0, 2)
    assert b"a frame of okx: unknown_symbol" in err
    assert b"instrument data" in err


def exchange_info(count: int) -> bytes:
    """Binance's ``exchangeInfo`` of so many symbols."""
    row = {
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "underlyingType": "COIN",
        "onboardDate": 0,
        "filters": [],
    }
    symbols = [row | {"symbol": f"S{n}USDT", "pair": f"S{n}USDT", "baseAsset": f"S{n}"} for n in range(count)]
    return json.dumps({"timezone": "UTC", "serverTime": 0, "symbols": symbols}).encode()


def test_newer_contracts_are_added_to_the_older_ones() -> None:
    """A table recorded later adds to what is known from then on."""
    reader = FrameReader()
    body = exchange_info(5)
    assert reader.events(raw("binance-usdm", INSTRUMENTS, body)) == []
    trade = {
        "e": "aggTrade",
        "E": T0 // 1000,
        "s": "S4USDT",
        "a": 1,
        "p": "2",
        "q": "3",
        "nq": "3",
        "f": 1,
        "l": 1,
        "T": T0 // 1000,
        "m": True,
        "st": 1,
    }
    (event,) = reader.events(raw("binance-usdm", "market", json.dumps(trade).encode()))
    assert isinstance(event, Trade)
    assert (event.asset, event.notional_usd) == ("S4", 6.0)
    assert reader.events(raw("binance-usdm", INSTRUMENTS, exchange_info(1))) == []
    assert len(reader.events(raw("binance-usdm", "market", json.dumps(trade).encode()))) == 1


def test_signals_come_batch_by_batch() -> None:
    """Progress is told after every batch, and splitting into batches changes no signal."""
    events = crash()
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    batched: list[Any] = []
    summary = play(Playback({"x": events}), Detector(), batched.extend, tick)
    assert ticks == len(events) // BATCH
    assert ticks > 0
    whole = Detector()
    at_once = whole.apply(events)
    at_once += whole.advance(whole.second + 1)
    assert batched == at_once
    assert summary.events == len(events)


def test_plain_pipe_gets_a_table_without_control_codes(tmp_path: Path) -> None:
    """For people in a pipe: a table, the sums in words, no escape sequences on either stream."""
    done = replay(write(tmp_path / "x.jsonl", crash()), cwd=tmp_path)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert ESCAPE not in done.stdout + done.stderr
    assert b"\r" not in done.stdout + done.stderr
    assert "Episodes (UTC)" in text
    assert re.search(r"BTC +│ long", text)
    assert "liquidations: " in text
    assert "USD of longs" in text


def on_terminal(command: list[str], cwd: Path, **variables: str) -> bytes:
    """What a command prints on a terminal."""
    master, slave = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {
        "TERM": "xterm-256color",
        "COLUMNS": "150",
        "PYTHONPATH": str(ROOT),
    } | variables
    with subprocess.Popen(command, cwd=cwd, env=environment, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        output = b""
        while True:
            try:
                chunk = os.read(master, 65_536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not chunk:
                break
            output += chunk
        os.close(master)
    assert process.returncode == 0, output
    return output


COLOUR = re.compile(rb"\x1b\[[0-9;]*[34][0-9](;[0-9;]+)?m")


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_is_obeyed_on_a_terminal(tmp_path: Path, variables: dict[str, str], coloured: bool) -> None:
    """A terminal gets colours, unless NO_COLOR is set."""
    path = write(tmp_path / "x.jsonl", crash(320))
    output = on_terminal([sys.executable, "-m", "monitor", "replay", str(path)], tmp_path, **variables)
    assert bool(COLOUR.search(output)) == coloured
    assert b"Episodes" in output


def test_words_hold_notes_and_duplicates(tmp_path: Path, printed: Any) -> None:
    """The words for people hold the note about hourly totals and the duplicates."""
    at_us = T0
    total = Liquidation("binance-usdm", "BTCUSDT", "BTC", at_us, at_us, "long", 5e6, "aggregated", "a")
    events = [total, total, *crash()]
    out, _ = printed(write(tmp_path / "x.jsonl", events), as_json=False)
    text = out.decode()
    assert "1 seen twice" in text
    assert "Note: hourly liquidation totals" in text


def test_standard_input_is_read_as_bytes(monkeypatch: pytest.MonkeyPatch, printed: Any) -> None:
    """``-`` is standard input, whatever its encoding."""
    content = msgspec.json.Encoder().encode_lines(crash(5))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    out, _ = printed(Path("-"))
    assert json.loads(out)["events"] == len(list(read(io.BytesIO(content))))
    assert lines(out)[-1]["type"] == "summary"


class Rememberer(BybitAdapter):
    """Counts the frames of a venue and those of a socket."""

    def parse(self, frame: bytes, received_us: int, memory: Memory | None = None) -> list[Message]:
        """A mark price that is the socket's count, with the venue's as its index."""
        assert memory is not None
        memory.confirmed["x"] += 1
        latest = memory.latest.setdefault("X", Latest(0.0))
        assert isinstance(latest.price, float)
        latest.price += 1.0
        return [MarkPrice("bybit", "X", "X", received_us, received_us, memory.confirmed["x"], latest.price)]


def test_what_frames_reported_outlives_instruments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection of a recording has a memory of its own and the venue's; newer instruments keep both."""
    monkeypatch.setitem(ADAPTERS, "bybit", Rememberer)
    frames = FrameReader()

    def number(channel: str) -> tuple[float, object]:
        (event,) = frames.events(RawFrame("bybit", channel, 1, "{}"))
        assert isinstance(event, MarkPrice)
        return event.mark_price, event.index_price

    def learn(size: float) -> None:
        table = InstrumentTable("bybit", {"X": Instrument("X", "X", 1, size, "base")}, {}, 1)
        assert frames.events(RawFrame("bybit", INSTRUMENTS, 1, msgspec.json.encode(table).decode())) == []

    learn(1.0)
    assert [number("linear-0"), number("linear-1"), number("linear-0")] == [(1, 1), (1, 2), (2, 3)]
    learn(1.0)
    assert number("linear-0") == (3, 4)
    learn(2.0)
    assert number("linear-0") == (4, 5)
