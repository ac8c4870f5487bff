"""One whole run of the real program before the three simulated exchanges, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import subprocess
import time
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import SHORT
from monitor.model.events import MICROS, micro_usd
from monitor.storage.kept_file import read_state
from tests.e2e.stage import (
    WARMUP_S,
    Metrics,
    Program,
    books,
    counted,
    learn,
    lines,
    replay,
    settled,
    value,
    without_clock,
    write_config,
)
from tests.logs import faults
from tests.waiting import patient
from tests.web import get

pytestmark = pytest.mark.xdist_group("e2e-run")


class Run(NamedTuple):
    """What one run left behind."""

    folder: Path
    metrics: Metrics
    shown: dict[tuple[str, str], int]
    delivered: dict[tuple[str, str], int]
    executed: dict[tuple[str, str], int]
    orders: int
    learned: tuple[float, float]
    answers: dict[str, httpx.Response]
    status: int
    log: str


async def _run(folder: Path) -> Run:
    async with Arena(SHORT, 1, warmup_s=WARMUP_S) as arena:
        learned = learn(arena, folder)
        async with Program(write_config(arena, folder)) as program:
            url = await program.url()
            answers = {"early": await get(f"{url}/livez")}
            await asyncio.wait_for(arena.watched(), patient(20))
            await arena.play()
            metrics = await settled(url, time.time())
            answers |= {path: await get(url + path) for path in ("/metrics", "/livez", "/readyz", "/nothing")}
            status = await program.stop()
        orders = sum(amount.orders for venue in arena.exchanges for amount in arena.ledger(venue).shown.values())
        return Run(
            folder,
            metrics,
            books(arena, lambda ledger: ledger.shown),
            books(arena, lambda ledger: ledger.delivered),
            books(arena, lambda ledger: ledger.executed),
            orders,
            learned.view().liquidated_usd,
            answers,
            status,
            program.log,
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return asyncio.run(_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def replayed(run: Run) -> subprocess.CompletedProcess[bytes]:
    """What the replay makes of the run's recording."""
    return _replay(run)


def _replay(run: Run) -> subprocess.CompletedProcess[bytes]:
    files = run.folder / "history.jsonl", run.folder / "recording.jsonl.gz"
    done = replay(*files, "--config", run.folder / "config.yaml", "--json", cwd=run.folder, traced=False)
    assert done.returncode == 0, done.stderr
    return done


def test_monitor_counts_what_the_exchanges_showed(run: Run) -> None:
    """By venue and side the monitor's dollars are the ledgers' to the micro-dollar, and no feed showed everything."""
    venues = {venue for venue, _ in run.shown}
    assert counted(run.metrics, venues) == run.shown == run.delivered
    assert len(venues) == 3
    assert all(amount > 0 for (_, side), amount in run.shown.items() if side == "long")
    assert sum(run.shown.values()) < sum(run.executed.values())


def test_metrics_agree_with_what_was_sent(run: Run) -> None:
    """The number of liquidations, the market's windows and the health of the feeds are those of the exchanges."""
    venues = {venue for venue, _ in run.shown}
    received = sum(value(run.metrics, "events_received_total", venue=venue, type="liquidation") for venue in venues)
    assert received == run.orders
    for index, side in enumerate(("long", "short")):
        day_usd = value(run.metrics, "liquidated_usd", asset="MARKET", side=side, window="24h")
        shown = sum(amount for (_, its_side), amount in run.shown.items() if its_side == side)
        assert micro_usd(day_usd) == micro_usd(run.learned[index]) + shown
    for (name, labels), sample in run.metrics.items():
        if name in ("cascade_feed_connected", "cascade_feed_gap_seconds_total", "cascade_frames_rejected_total"):
            assert sample == (name == "cascade_feed_connected"), (name, labels)
    assert value(run.metrics, "signals_total", phase="cascade") > 0


def test_health_is_served_while_it_runs(run: Run) -> None:
    """All routes answer over HTTP; an unknown one is not found."""
    assert run.answers["early"].status_code == HTTPStatus.OK
    assert run.answers["/livez"].text == "the event loop turns\n"
    assert run.answers["/readyz"].status_code == HTTPStatus.OK
    assert "3 of 3 venues connected" in run.answers["/readyz"].text
    assert run.answers["/metrics"].headers["content-type"].startswith("text/plain; version=0.0.4")
    assert run.answers["/nothing"].status_code == HTTPStatus.NOT_FOUND


def test_terminated_program_exits_with_zero_and_keeps_its_state(run: Run) -> None:
    """SIGTERM is the regular end: status 0, no traceback, and the file holds all that was counted."""
    assert run.status == 0, run.log
    assert faults(run.log) == []
    kept = Detector.restore(read_state(run.folder / "detector.state"), DETECTOR)
    for index, side in enumerate(("long", "short")):
        shown = sum(amount for (_, its_side), amount in run.shown.items() if its_side == side)
        assert micro_usd(kept.view().liquidated_usd[index]) == micro_usd(run.learned[index]) + shown


def test_replay_of_the_recording_gives_the_live_signals(run: Run, replayed: subprocess.CompletedProcess[bytes]) -> None:
    """The replay's signals are the live ones byte for byte; only a file's end closes the last second as well."""
    live = without_clock((run.folder / "signals.jsonl").read_bytes()).splitlines()
    again = [line for line in without_clock(replayed.stdout).splitlines() if b'"type":"signal"' in line]
    assert {signal["phase"] for signal in lines(b"\n".join(live))} >= {"building", "cascade"}
    assert live[0] == again[0]
    assert live == again[: len(live)]
    last_us = lines(live[-1])[0]["event_time_us"]
    assert {signal["event_time_us"] for signal in lines(b"\n".join(again[len(live) :]))} <= {
        last_us + MICROS,
    }


def test_replay_counts_what_was_recorded(run: Run, replayed: subprocess.CompletedProcess[bytes]) -> None:
    """The summary's sums are the history's and the exchanges' together; nothing was rejected."""
    summary = lines(replayed.stdout)[-1]
    assert (summary["rejected"], summary["duplicates"]) == (0, 0)
    for index, side in enumerate(("long", "short")):
        shown = sum(amount for (_, its_side), amount in run.shown.items() if its_side == side)
        assert micro_usd(summary["liquidated_usd"][side]) == micro_usd(run.learned[index]) + shown


def test_second_replay_prints_the_same_bytes(run: Run, replayed: subprocess.CompletedProcess[bytes]) -> None:
    """Only the clock's fields differ between two replays."""
    again = _replay(run)
    assert without_clock(again.stdout) == without_clock(replayed.stdout)
    assert b'"elapsed_s":0,' not in replayed.stdout
