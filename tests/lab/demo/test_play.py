from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.deliver.terminal import plain_console
from monitor.lab.demo import play, run
from monitor.lab.demo.play import Count
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.ledger import by_side
from monitor.lab.simulate.scenario import SHORT, Phase, Scenario
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, SIDES, micro_usd
from monitor.model.schema import checked
from monitor.model.signals import Signal
from monitor.model.summary import Summary
from tests.cli.test_replay import on_terminal
from tests.e2e.stage import environment
from tests.waiting import patient

BLINK = Scenario("blink", (Phase("calm", 1), Phase("long cascade", 2, push=-0.04, noise=4, activity=4)))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Shorten the warm-up and the pauses, and restore the root logger."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(play, "WARMUP_S", 60)
    monkeypatch.setattr(play, "LINE_EVERY_S", 0.5)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def arenas(monkeypatch: pytest.MonkeyPatch) -> list[Arena]:
    """Return the arenas that the demo makes."""
    made: list[Arena] = []

    class Noted(Arena):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(play, "Arena", Noted)
    return made


def test_headless_prints_the_contracts_lines(capfdbinary: pytest.CaptureFixture[bytes], arenas: list[Arena]) -> None:
    """Signals, then the summary with the ledgers' sums to the micro-dollar; nothing else is on standard output."""
    assert run(headless=True, scenario=SHORT) == 0
    sys.stdout.flush()
    out, err = capfdbinary.readouterr()
    *signals, last = out.splitlines()
    phases = {checked(Signal, line).phase for line in signals}
    assert phases >= {"building", "cascade"}
    summary = checked(Summary, last)
    (arena,) = arenas
    for side in SIDES:
        shown = [by_side(arena.ledger(venue).shown)[side] for venue in arena.exchanges]
        assert micro_usd(getattr(summary.liquidated_usd, side)) == sum(amount.micro_usd for amount in shown)
    orders = [amount.orders for venue in arena.exchanges for amount in arena.ledger(venue).shown.values()]
    assert summary.liquidations == sum(orders)
    assert (summary.rejected, summary.duplicates) == (0, 0)
    assert summary.elapsed_s >= SHORT.seconds
    assert any(episode.cascade_us and episode.direction == "long" for episode in summary.episodes)
    assert err == b""


def test_pipe_gets_lines_and_a_table(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without a terminal a line comes every few seconds, then the comparison, without control codes."""
    assert run(scenario=BLINK) == 0
    sys.stdout.flush()
    out, _ = capsysbinary.readouterr()
    text = out.decode()
    assert b"\x1b" not in out
    assert b"\r" not in out
    assert "market: long cascade" in text
    assert "Episodes that the monitor found" in text
    assert text.count("equal to the micro-dollar") == 2
    assert "0 rejected" in text


@pytest.mark.parametrize("counted", [5 * MICROS, 4 * MICROS])
def test_difference_is_a_failure(
    counted: int, capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the monitor counted anything else than the feeds showed, it is reported and the status is 1."""
    counts = [Count("long", 10 * MICROS, 5 * MICROS, counted), Count("short", 0, 0, 0)]
    monkeypatch.setattr(play, "_counts", lambda arena, monitor: counts)
    same = counted == 5 * MICROS
    assert run(scenario=Scenario("blink", (Phase("calm", 0.3),))) == (not same)
    out = capsysbinary.readouterr().out.decode()
    assert ("NOT equal: a fault of the monitor" in out) == (not same)
    assert "50% hidden by their throttles" in out
    assert "0% hidden" in out


def test_terminal_gets_the_screen(tmp_path: Path) -> None:
    """On a terminal the live view is drawn on the alternate screen, which is left at the end."""
    script = tmp_path / "demo.py"
    script.write_text(
        "from monitor.lab.demo import play, run\n"
        "from monitor.lab.simulate.scenario import Phase, Scenario\n"
        "play.WARMUP_S = 60\n"
        "raise SystemExit(run(scenario=Scenario('blink', (Phase('calm', 1.0),))))\n"
    )
    output = on_terminal([sys.executable, str(script)], tmp_path, LINES="45")
    assert b"\x1b[?1049h" in output
    assert b"\x1b[?1049l" in output
    assert b"monitor: " in output
    assert b"dashboard at http://" in output
    assert output.rfind(b"equal to the micro-dollar") > output.rfind(b"\x1b[?1049l")


async def test_exchanges_that_nobody_subscribes_to_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchanges without a subscription end the demo with an error after the time limit."""
    timeout = asyncio.timeout
    monkeypatch.setattr(asyncio, "timeout", lambda seconds: timeout(0.05 if seconds == 30 else seconds))
    monitor: Any = None
    async with Arena(BLINK) as arena:
        with pytest.raises(OperatorError, match="no subscription within 30 s"):
            await play._watch(arena, monitor, plain_console(), headless=True)


async def test_settling_ends_also_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for a detector that stands still ends after the time limit."""
    monkeypatch.setattr(play, "SETTLE_S", 0.1)

    class Standing:
        waiting = 1
        second = 5

    monitor: Any = type("Monitor", (), {"bus": Standing, "detector": Standing})
    await asyncio.wait_for(play._settle(monitor), patient(5))


def test_interrupt_ends_the_demo(tmp_path: Path) -> None:
    """Ctrl+C amid the demo leaves with the shell's status for it and no traceback."""
    script = tmp_path / "demo.py"
    script.write_text(
        "from monitor.cli.main import main\nfrom monitor.lab.demo import play\nplay.WARMUP_S = 60\nmain()\n"
    )
    command = [sys.executable, str(script), "demo"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        assert it.stdout is not None
        assert it.stderr is not None
        while b"market: calm" not in it.stdout.readline():
            assert it.poll() is None
        it.terminate()
        errors = it.stderr.read()
        it.wait(15)
    assert it.returncode == 130
    assert b"Traceback" not in errors


def test_lines_are_json(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A scenario without any signal also ends with one line of JSON."""
    assert run(headless=True, scenario=Scenario("blink", (Phase("calm", 0.3),))) == 0
    sys.stdout.flush()
    *_, last = capsysbinary.readouterr().out.splitlines()
    assert json.loads(last)["type"] == "summary"
