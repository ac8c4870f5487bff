"""Whether a feed can be had from here, tried out and told in words: what ``doctor`` asks of each exchange."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from monitor.bus.memory import MemoryBus
from monitor.collect.connection.session import Session, SessionSettings
from monitor.collect.connection.socket import Locate
from monitor.collect.pipeline.outlet import Outlet
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.quality.feed_health import REMEDY, Watch
from monitor.collect.rest.client import Rest, locator
from monitor.collect.rest.errors import RestError
from monitor.exchanges.adapter import Adapter, Connection
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Channel

WITHIN_S: Final = 20.0
"""Twice what an exchange takes at its worst to confirm and to speak."""

ENDINGS: Final = 2
"""A socket that ends twice will end again."""

PREFERRED: Final = ("BTC", "ETH")
"""Assets that every market has and that never rest."""


class FeedFinding(NamedTuple):
    """One thing that was tried: what, whether it is well, what was found, and what to do about it if it is not."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


def probes(instruments: Mapping[str, Instrument]) -> list[str]:
    """One symbol of each of a venue's markets: its bitcoin, or what comes next."""
    best: dict[str, Instrument] = {}
    for instrument in sorted(instruments.values(), key=_rank):
        if instrument.trading:
            best.setdefault(instrument.product, instrument)
    return sorted(instrument.symbol for instrument in best.values())


def _rank(instrument: Instrument) -> tuple[int, str]:
    known = instrument.asset in PREFERRED
    return PREFERRED.index(instrument.asset) if known else len(PREFERRED), instrument.symbol


async def check_feed(
    kind: type[Adapter],
    channels: Iterable[Channel],
    clock: Callable[[], int],
    *,
    ws_url: str | None = None,
    rest_url: str | None = None,
    within_s: float = WITHIN_S,
    settings: SessionSettings | None = None,
) -> list[FeedFinding]:
    """Ask for the instruments, then open each kind of socket for one symbol and wait until it is whole.

    Whole means: every subscription confirmed, and what always speaks has spoken. Nothing is published.
    """
    async with Rest() as rest:
        client = rest.client(kind, rest_url)
        instruments: dict[str, Instrument] = {}
        blind = kind()
        try:
            for request in kind.instruments_requests:
                async for page in client.pages(request, lambda asked, body: blind.parse_instruments(body, asked)):
                    instruments.update((one.symbol, one) for one in page.instruments)
        except RestError as error:
            remedy = f"check the network, a proxy, and venues.{kind.venue}.rest_url; or its API has changed"
            return [FeedFinding(f"{kind.venue} instruments", False, str(error), remedy)]
        found = [FeedFinding(f"{kind.venue} instruments", bool(instruments), f"{len(instruments)} instruments")]
        adapter = kind(instruments)
        locate = locator(adapter, client)
        plans = adapter.connections(probes(instruments), channels, ws_url)
        found += await asyncio.gather(
            *(_try(plan, adapter, clock, within_s, settings or SessionSettings(), locate) for plan in plans)
        )
    return found


async def _try(
    plan: Connection,
    adapter: Adapter,
    clock: Callable[[], int],
    within_s: float,
    settings: SessionSettings,
    locate: Locate,
) -> FeedFinding:
    """Open one socket and wait until it is whole."""
    venue = adapter.venue
    bus = MemoryBus()
    outlet = Outlet(bus.publisher(), OverloadSwitch("bars", 1.0, venue), RejectGate(0.0, 0), clock)
    watch = Watch(venue, adapter.known_keys)
    session = Session(
        plan,
        adapter,
        outlet,
        settings,
        clock=clock,
        rng=random.Random(),  # noqa: S311  # jitter
        locate=locate,
        watch=watch,
    )
    task = asyncio.create_task(session.run())
    what = f"{venue} {plan.name}"
    try:
        async with asyncio.timeout(within_s):
            while not (session.alive or sum(session.stats.reconnects.values()) >= ENDINGS):  # noqa: ASYNC110  # a session tells of itself by its state
                await asyncio.sleep(0.02)
        whole = session.alive
    except TimeoutError:
        whole = False
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    if not whole:
        reason = session.last_end
        detail = f"{plan.url}: {reason or 'nothing came'}"
        remedy = REMEDY.get(reason or "stale", "try again").format(venue=venue)
        return FeedFinding(what, False, detail, remedy)
    drift = watch.stats().findings
    if drift:
        names = ", ".join(f"{finding.kind} {finding.detail}" for finding in drift[:3])
        return FeedFinding(what, False, f"{plan.url}: speaks, but its format has changed: {names}", "report it")
    return FeedFinding(what, True, f"{plan.url}: subscribed and speaking")
