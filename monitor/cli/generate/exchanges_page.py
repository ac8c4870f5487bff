"""Makes ``docs/exchanges.md`` from the adapters and :mod:`monitor.exchanges.facts`.

``python -m monitor.cli.generate.exchanges_page`` writes it anew; a test compares the file with what this makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, get_args

from monitor.collect.connection.socket import PROTOCOL_PING
from monitor.exchanges.adapter import Adapter, Connection, CoverageEra
from monitor.exchanges.facts import FACTS, Facts
from monitor.exchanges.registry import ADAPTERS
from monitor.model.events import MICROS, Channel

DOCUMENT: Final = Path("docs/exchanges.md")
SOME_DAY_US: Final = 1_764_000_000 * MICROS
MINUTE_US: Final = 60 * MICROS

Row = Callable[[Facts, Adapter], list[str]]
"""The cells of one exchange's row."""

_HEAD: Final = """\
# Exchanges

Made from the adapters and `monitor/exchanges/facts.py` by
`python -m monitor.cli.generate.exchanges_page`; change it there. What the words mean
stands in [semantics.md](semantics.md), how to add a row in
[adding-an-exchange.md](adding-an-exchange.md). Read off documents and published code; no exchange was reached from
where this was written, so "last checked" is the day of reading.

## Liquidations
What an exchange shows of them, since when, and how to read it. Sums over anything but `complete` are floors.

| exchange | a long died when | price | sizes are in | shown |
|---|---|---|---|---|
"""

_FEEDS: Final = """
## Sockets
`dense` is what proves a quiet socket alive: silence of it for that long is death. Heartbeats are ours; pings that an
exchange sends are answered in any case.

| exchange | by socket | dense, silence | heartbeat | a socket lives | limits |
|---|---|---|---|---|---|
"""

_REST: Final = """
## REST
All requests to an exchange share one budget, which lies below its own limit. History is open interest, loaded at the
start; backfill is what can be had after a gap.

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
    for venue, kind in sorted(ADAPTERS.items(), key=lambda item: FACTS[item[0]].name.lower()):
        facts = FACTS[venue]
        adapter = kind({instrument.symbol: instrument for instrument in facts.examples})
        yield "| " + " | ".join([facts.name, *row(facts, adapter)]) + " |\n"


def liquidations(facts: Facts, adapter: Adapter) -> list[str]:
    """Return the row that describes how an exchange's liquidations are read."""
    if not adapter.eras:
        return ["shows none", "", facts.unit, "none: trades, marks and open interest only"]
    return [facts.long_died, facts.price, facts.unit, "; ".join(map(era_words, adapter.eras))]


def era_words(era: CoverageEra) -> str:
    """Return one era: coverage, its beginning, and the rule."""
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
    """Return an exchange's own ping, or the protocol's."""
    keepalive = plan.keepalive or PROTOCOL_PING
    kind = "its own ping" if keepalive.frame else "protocol ping"
    return f"{kind} each {keepalive.interval_s:g} s, {keepalive.timeout_s:g} s to answer"


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
        "quarantined: sizes are contracts" if adapter.counts_contracts else "read by the symbols' names",
    ]


def source(facts: Facts, adapter: Adapter) -> list[str]:
    """Return the row of an exchange's sources."""
    return [f"`{adapter.venue}`", facts.source, facts.checked]


def words(items: Iterable[str]) -> str:
    """Return names sorted and joined; ``no`` for none."""
    return "; ".join(sorted(items)) or "no"


def main() -> None:
    """Write the page."""
    DOCUMENT.write_text(document())


if __name__ == "__main__":
    main()
