"""Formats episodes as tables for people, for all commands that print them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Console
from rich.table import Table

from monitor.model.events import MICROS
from monitor.model.summary import EpisodeSummary

PIPE_WIDTH: Final = 140
"""Width in columns of a table that is written to a pipe or a file."""


def plain_console() -> Console:
    """Return the console of standard output: colours on a terminal, plain text in a pipe or with ``NO_COLOR``."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


def usd(amount: float) -> str:
    """Return US dollars in short: 950, 12.3k, 4.56M, 1.23B."""
    for limit, unit, digits in ((1e9, "B", 2), (1e6, "M", 2), (1e3, "k", 1)):
        if abs(amount) >= limit:
            return f"{amount / limit:,.{digits}f}{unit}"
    return f"{amount:,.0f}"


def moment(us: int | None, with_day: bool = True) -> str:
    """Return a time in UTC to the second, or a dash for None."""
    if us is None:
        return "-"
    return f"{datetime.fromtimestamp(us // MICROS, UTC):{'%Y-%m-%d %H:%M:%S' if with_day else '%H:%M:%S'}}"


def episode_table(episodes: Sequence[EpisodeSummary], title: str = "Episodes (UTC)") -> Table:
    """Return a table of all episodes, one a row."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("asset", "side", "building", "cascade", "worst minute", "relief", "calm again"):
        table.add_column(name, no_wrap=True)
    for name in ("worst score", "longs, USD", "shorts, USD"):
        table.add_column(name, justify="right", no_wrap=True)
    for episode in episodes:
        table.add_row(
            episode.asset,
            episode.direction,
            moment(episode.started_us),
            *(moment(us, with_day=False) for us in (episode.cascade_us, episode.peak_us, episode.relief_us)),
            moment(episode.ended_us, with_day=False),
            f"{episode.peak_score:.0f}",
            usd(episode.liquidated_usd.long),
            usd(episode.liquidated_usd.short),
            style="bold" if episode.cascade_us is not None else None,
        )
    return table
