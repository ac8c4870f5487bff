"""Plays the demo's scenario, shows it, and checks the monitor's sums against the exchanges' ledgers."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import uvloop
from rich.console import Console
from rich.live import Live

from monitor.deliver import logs
from monitor.deliver.terminal import episode_table, plain_console, usd
from monitor.detect.detector import Detector
from monitor.detect.summary import summarise
from monitor.lab.demo.screen import screen
from monitor.lab.demo.story import DETECTOR, SEED, WARMUP_S, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.ledger import Ledger, by_side
from monitor.lab.simulate.scenario import SCENARIOS, Scenario
from monitor.model.errors import OperatorError
from monitor.model.events import MARKET, MICROS, Side
from monitor.model.intake import Intake
from monitor.model.summary import Summary
from monitor.roles.all import Monitor, monitoring
from monitor.roles.clock import wall_clock_us

REFRESH_S: Final = 0.25
"""Interval at which the screen is drawn, seconds."""
LINE_EVERY_S: Final = 5.0
"""Interval at which a line is printed where there is no screen, seconds."""
SETTLE_S: Final = 3.0
"""Time after the last frame within which everything must have been decided, seconds."""


class Count(NamedTuple):
    """Micro-USD of one side: executed by the market, shown by the feeds, counted by the monitor."""

    side: Side
    executed: int
    shown: int
    counted: int


def run(*, headless: bool = False, scenario: Scenario = SCENARIOS["demo"]) -> int:
    """Play the demo and return the exit status: 0, or 1 if the monitor's sums differ from the exchanges'.

    Args:
        headless: True to print signals and summary as JSON lines on standard output, and nothing for people.
        scenario: scenario to play.
    """
    logs.configure("warning", "console")
    return uvloop.run(_play(headless, scenario))


async def _play(headless: bool, scenario: Scenario) -> int:
    console = Console(stderr=True) if headless else plain_console()
    async with Arena(scenario, SEED, warmup_s=WARMUP_S) as arena:
        detector = Detector(DETECTOR)
        if not headless:
            console.print(f"Simulated market: the detector first learns from {WARMUP_S // 60} quiet minutes ...")
        detector.apply(arena.history())
        before = detector.view()
        with tempfile.TemporaryDirectory(prefix="cascade-demo-") as cache:
            settings = demo_settings(arena, Path(cache), "-" if headless else None)
            async with monitoring(settings, detector) as monitor:
                started, started_us = time.perf_counter(), wall_clock_us()
                if not headless:
                    console.print(f"Dashboard: {monitor.url}/", highlight=False)
                await _watch(arena, monitor, console, headless=headless)
                await _settle(monitor)
                intake = _intake(monitor, started_us, time.perf_counter() - started)
            # After the context all signals are written.
            summary = summarise(detector, intake)
        summary.liquidations -= before.liquidations
        totals = [now - then for now, then in zip(detector.view().liquidated_usd, before.liquidated_usd, strict=True)]
        summary.liquidated_usd.long, summary.liquidated_usd.short = (round(total, 6) for total in totals)
        counts = _counts(arena, monitor)
    if headless:
        sys.stdout.buffer.write(msgspec.json.encode(summary) + b"\n")
        sys.stdout.buffer.flush()
    else:
        _print_result(console, summary, counts)
    return 0 if all(count.shown == count.counted for count in counts) else 1


async def _watch(arena: Arena, monitor: Monitor, console: Console, *, headless: bool) -> None:
    """Play the scenario to its end, and show it."""
    try:
        async with asyncio.timeout(30):
            await arena.watched()
    except TimeoutError:
        raise OperatorError("the simulated exchanges got no subscription within 30 s: see the log above") from None
    playing = asyncio.create_task(arena.play())
    try:
        if headless:
            await playing
        elif console.is_terminal:
            with Live(screen(arena, monitor, console.height), console=console, screen=True, auto_refresh=False) as live:
                while not playing.done():
                    live.update(screen(arena, monitor, console.height), refresh=True)
                    await asyncio.wait([playing], timeout=REFRESH_S)
        else:
            while not playing.done():
                console.print(_line(arena, monitor))
                await asyncio.wait([playing], timeout=LINE_EVERY_S)
        await playing
    finally:
        playing.cancel()


def _line(arena: Arena, monitor: Monitor) -> str:
    """Return one line with the market's and the monitor's state, for pipes."""
    view = monitor.detector.view()
    market = next(asset for asset in view.assets if asset.asset == MARKET)
    minute = market.windows.get("1m")
    flow = f"longs {usd(minute.long)}, shorts {usd(minute.short)} in a minute" if minute else "no liquidation yet"
    progress = arena.progress
    return (
        f"{progress.elapsed_s:4.0f} s of {progress.total_s:.0f}  market: {progress.phase:<14} "
        f"monitor: {market.phase:<8} {market.direction:<5} risk {market.risk_score:3.0f}  {flow}"
    )


async def _settle(monitor: Monitor) -> None:
    """Wait until what was received is decided and every second of it is closed."""
    last_event_s = monitor.detector.second
    for _ in range(round(SETTLE_S / 0.05)):
        if not monitor.bus.waiting and monitor.detector.second > last_event_s + 1:
            return
        await asyncio.sleep(0.05)


def _intake(monitor: Monitor, started_us: int, elapsed_s: float) -> Intake:
    fleets = [venue.fleet for venue in monitor.collecting.collector.stats() if venue.fleet is not None]
    return Intake(
        events=sum(sum(fleet.total.events.values()) for fleet in fleets),
        rejected=sum(sum(fleet.total.rejects.values()) for fleet in fleets),
        first_us=started_us,
        last_us=monitor.detector.second * MICROS,
        elapsed_s=elapsed_s,
    )


def _counts(arena: Arena, monitor: Monitor) -> list[Count]:
    ledgers: list[Ledger] = [arena.ledger(venue) for venue in arena.exchanges]
    fleets = [venue.fleet.total for venue in monitor.collecting.collector.stats() if venue.fleet is not None]
    counted = {
        "long": sum(stats.liquidated_long_micro_usd for stats in fleets),
        "short": sum(stats.liquidated_short_micro_usd for stats in fleets),
    }
    sides: tuple[Side, ...] = ("long", "short")
    return [
        Count(
            side,
            sum(by_side(ledger.executed)[side].micro_usd for ledger in ledgers),
            sum(by_side(ledger.shown)[side].micro_usd for ledger in ledgers),
            counted[side],
        )
        for side in sides
    ]


def _print_result(console: Console, summary: Summary, counts: list[Count]) -> None:
    """Print the episodes, and for each side what was executed, shown and counted."""
    console.print(episode_table(summary.episodes, "Episodes that the monitor found (UTC)"))
    for count in counts:
        hidden = 1 - count.shown / count.executed if count.executed else 0.0
        verdict = "equal to the micro-dollar" if count.shown == count.counted else "NOT equal: a fault of the monitor"
        console.print(
            f"{count.side:>5}s  executed {usd(count.executed / MICROS)}  shown by the feeds "
            f"{usd(count.shown / MICROS)} ({hidden:.0%} hidden by their throttles)  "
            f"counted {usd(count.counted / MICROS)}: {verdict}"
        )
    console.print(f"{summary.events:,} events in {summary.elapsed_s:.0f} s, {summary.rejected} rejected")
