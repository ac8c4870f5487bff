"""Draws the demo's live terminal view from copies of the monitor's state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from monitor.deliver.terminal import moment, usd
from monitor.detect.view import AssetView, DetectorView
from monitor.lab.simulate.arena import Arena
from monitor.model.events import MARKET
from monitor.model.signals import Evidence, Phase, WindowTotals
from monitor.roles.all import Monitor

STYLE: Final[dict[Phase, str]] = {"calm": "green", "building": "yellow", "cascade": "bold red", "relief": "cyan"}
BAR: Final = 20
"""Characters of a full bar."""


def screen(arena: Arena, monitor: Monitor, height: int) -> RenderableType:
    """Return one screen of ``height`` lines; the lower tables are cut first where it is low."""
    view = monitor.detector.view()
    assets = [asset for asset in view.assets if asset.asset != MARKET]
    market = next(asset for asset in view.assets if asset.asset == MARKET)
    parts: list[RenderableType] = [_headline(arena, market), _assets([market, *assets]), _venues(assets)]
    worst = max([market, *assets], key=lambda asset: asset.risk_score)
    parts.append(_evidence(worst))
    if height >= 40:
        parts.append(_episodes(monitor))
    parts.append(_footer(monitor, view))
    return Group(*parts)


def _headline(arena: Arena, market: AssetView) -> Panel:
    progress = arena.progress
    done = round(40 * progress.elapsed_s / progress.total_s)
    text = Text.assemble(
        ("simulated market: ", "dim"),
        (f"{progress.phase:<15}", "bold"),
        ("monitor: ", "dim"),
        (f"{market.phase.upper():<9}", STYLE[market.phase]),
        (_direction(market), STYLE[market.phase]),
        "\n",
        ("█" * done, "blue"),
        ("░" * (40 - done), "dim"),
        f" {progress.elapsed_s:3.0f} of {progress.total_s:.0f} s",
    )
    return Panel(text, title="liquidation-cascade monitor, demo", border_style=STYLE[market.phase])


def _direction(asset: AssetView) -> str:
    if asset.phase == "calm":
        return ""
    return "longs are being liquidated" if asset.direction == "long" else "shorts are being liquidated"


def _assets(assets: Sequence[AssetView]) -> Table:
    table = Table(title="Risk and phase", title_justify="left", header_style="bold", expand=True)
    table.add_column("asset", no_wrap=True)
    for name in ("price", "move"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("risk", no_wrap=True, min_width=BAR + 4)
    table.add_column("phase", no_wrap=True)
    for name in ("longs 10 s", "shorts 10 s", "longs 1 m", "shorts 1 m"):
        table.add_column(name, justify="right", no_wrap=True)
    for asset in assets:
        short, minute = asset.windows.get("10s"), asset.windows.get("1m")
        move = next(iter(asset.drawdown_by_window.values()), 0.0) * (-100 if asset.direction == "long" else 100)
        full = round(BAR * asset.risk_score / 100)
        style = STYLE[asset.phase]
        table.add_row(
            asset.asset,
            "-" if asset.price is None else f"{asset.price:,.6g}",
            f"{move + 0.0:+.2f} %",
            Text.assemble((f"{asset.risk_score:3.0f} ", style), ("█" * full, style), ("·" * (BAR - full), "dim")),
            Text(asset.phase, style),
            *(usd(amount) for window in (short, minute) for amount in _sides(window)),
        )
    return table


def _sides(window: WindowTotals | None) -> tuple[float, float]:
    return (window.long, window.short) if window else (0.0, 0.0)


def _venues(assets: Sequence[AssetView]) -> Table:
    table = Table(title="Liquidations in 5 minutes", title_justify="left", header_style="bold")
    table.add_column("exchange", no_wrap=True)
    for name in ("longs", "shorts", "orders"):
        table.add_column(name, justify="right", no_wrap=True)
    for venue in sorted({venue for asset in assets for venue in asset.venues}):
        seen = [asset.venues[venue] for asset in assets if venue in asset.venues]
        table.add_row(
            venue,
            usd(sum(totals.long for totals in seen)),
            usd(sum(totals.short for totals in seen)),
            f"{sum(totals.count for totals in seen):,}",
        )
    return table


def _evidence(asset: AssetView) -> Table:
    table = Table(title=f"Why: {asset.asset}", title_justify="left", header_style="bold")
    table.add_column("evidence", no_wrap=True)
    for name in ("value", "normal", "points"):
        table.add_column(name, justify="right", no_wrap=True)
    for item in asset.evidence[:6]:
        table.add_row(item.feature, _value(item, item.value), _value(item, item.baseline), f"{item.contribution:+.1f}")
    return table


def _value(item: Evidence, value: float) -> str:
    if "usd" in item.feature:
        return usd(value)
    return f"{value:.1%}" if item.feature.startswith(("move", "forced_share", "one_sided")) else f"{value:.1f}"


def _episodes(monitor: Monitor) -> Table:
    table = Table(title="Episodes", title_justify="left", header_style="bold")
    for name in ("asset", "side", "building", "cascade", "relief", "calm again"):
        table.add_column(name, no_wrap=True)
    for episode in monitor.detector.episodes()[-6:]:
        times = (episode.started_us, episode.cascade_us, episode.relief_us, episode.ended_us)
        table.add_row(episode.asset, episode.direction, *(moment(us, with_day=False) for us in times))
    return table


def _footer(monitor: Monitor, view: DetectorView) -> Text:
    return Text(
        f"{view.liquidations:,} liquidations, {sum(view.signals_by_phase.values()):,} signals; "
        f"dashboard at {monitor.url}/; Ctrl+C ends",
        style="dim",
    )
