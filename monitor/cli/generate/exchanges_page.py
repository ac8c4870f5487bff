"""Generates ``docs/exchanges.md`` from the adapters and their facts (:mod:`monitor.exchanges.facts`).

``make generate`` writes the page; a test fails if the page is out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from monitor.collect.connection.socket import PROTOCOL_PING
from monitor.exchanges.adapter import Adapter, Connection, CoverageEra
from monitor.exchanges.facts import Facts, facts_of
from monitor.exchanges.registry import ADAPTERS
from monitor.model.events import MICROS, Channel

DOCUMENT: Final = Path("docs/exchanges.md")
SOME_DAY_US: Final = 1_764_000_000 * MICROS
MINUTE_US: Final = 60 * MICROS

Row = Callable[[Facts, Adapter], list[str]]
"""Returns the cells of one exchange's row."""

_HEAD: Final = """\
# Exchanges

This page lists the supported exchanges, the part of its liquidations that each publishes, and how the monitor reads
them. `make generate` writes it from the adapters and their facts (`monitor/exchanges/`), so change it there.
[semantics.md](semantics.md) defines the terms, and [adding-an-exchange.md](adding-an-exchange.md) explains how to add a
row. The facts are from documents and published code and were not verified on live connections; "last checked" is the
day on which they were read.

## Liquidations
The last column is the coverage: the part of its liquidations that an exchange publishes, and since when. A sum is a
lower bound unless the coverage is `complete`.

| exchange | a long was liquidated if | price | unit of sizes | coverage |
|---|---|---|---|---|
"""

_FEEDS: Final = """
## Sockets
A dense channel has events every few seconds. If none arrives for the time in the table, the socket is stale and is
replaced. The monitor sends the heartbeats in the table; it answers pings of the exchange in any case.

| exchange | channels by socket | dense channels, stale after | heartbeat | age at which a socket is replaced | limits |
|---|---|---|---|---|---|
"""

_REST: Final = """
## REST
All requests to an exchange share one budget, which is below its rate limit. History is the open interest that is
loaded at the start; backfill lists the channels whose events can be requested after a gap.

| exchange | weight a minute | polled | history | backfill | without contract data |
|---|---|---|---|---|---|
"""

_SOURCES: Final = """
## Sources

| exchange | name for settings | source | last checked |
|---|---|---|---|
"""


def document() -> str:
    """Return the whole page."""
    tables: list[tuple[str, Row]] = [(_HEAD, liquidations), (_FEEDS, sockets), (_REST, rest), (_SOURCES, source)]
    return "".join(line for head, row in tables for line in (head, *_rows(row)))


def _rows(row: Row) -> Iterator[str]:
    for facts, kind in sorted(
        ((facts_of(kind), kind) for kind in ADAPTERS.values()), key=lambda item: item[0].name.lower()
    ):
        adapter = kind({instrument.symbol: instrument for instrument in facts.examples})
        yield "| " + " | ".join([facts.name, *row(facts, adapter)]) + " |\n"


def liquidations(facts: Facts, adapter: Adapter) -> list[str]:
    """Return the row that describes how an exchange's liquidations are read."""
    if not adapter.eras:
        return ["publishes none", "", facts.unit, "none: only trades, mark prices and open interest"]
    return [facts.long_liquidated, facts.price, facts.unit, "; ".join(map(era_words, adapter.eras))]


def era_words(era: CoverageEra) -> str:
    """Return one period of coverage: the coverage, its beginning, and the exchange's rule."""
    since = f" since {datetime.fromtimestamp(era.from_us / MICROS, UTC):%Y-%m-%d}" if era.from_us else ""
    return f"`{era.coverage}`{since}: {era.rule}"


def sockets(facts: Facts, adapter: Adapter) -> list[str]:
    """Return the row of an exchange's sockets: channels, limits and keep-alive."""
    plans = adapter.connections([instrument.symbol for instrument in facts.examples], get_args(Channel))
    return [
        words({", ".join(sorted(plan.channels)) for plan in plans}),
        words({f"{' or '.join(sorted(plan.dense)) or 'none'}, {plan.stale_after_s:g} s" for plan in plans}),
        words(set(map(heartbeat_words, plans))),
        words({f"{plan.max_age_s / 3600:g} h" if plan.max_age_s else "unlimited" for plan in plans}),
        facts.limits,
    ]


def heartbeat_words(plan: Connection) -> str:
    """Return the interval and the timeout of an exchange's own ping or of WebSocket pings."""
    keepalive = plan.keepalive or PROTOCOL_PING
    kind = "its own ping" if keepalive.frame else "WebSocket ping"
    return f"{kind} every {keepalive.interval_s:g} s, answer within {keepalive.timeout_s:g} s"


def rest(facts: Facts, adapter: Adapter) -> list[str]:
    """Return the row of an exchange's REST requests."""
    symbols = [instrument.symbol for instrument in facts.examples]
    polled = {poll.channel for poll in adapter.polls(symbols, get_args(Channel))}
    filled = {
        channel
        for channel in get_args(Channel)
        if adapter.backfill(channel, symbols, SOME_DAY_US, SOME_DAY_US + MINUTE_US)
    }
    pool = f", shared as `{adapter.rest_pool}`" if adapter.rest_pool else ""
    return [
        f"{adapter.rest_weight_per_minute:,}{pool}",
        words(polled),
        "30 d of open interest" if adapter.history(symbols, SOME_DAY_US) else "no",
        words(filled),
        "rejected, because sizes are contracts" if adapter.counts_contracts else "derived from the symbols' names",
    ]


def source(facts: Facts, adapter: Adapter) -> list[str]:
    """Return the row of an exchange's sources."""
    return [f"`{adapter.venue}`", facts.source, facts.checked]


def words(items: Iterable[str]) -> str:
    """Return names sorted and joined; ``no`` for none."""
    return "; ".join(sorted(items)) or "no"


def main(root: Path = Path()) -> None:
    """Write the page below ``root``."""
    (root / DOCUMENT).write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
