"""Checks by trial that an exchange's feed can be received from here; ``doctor`` prints the findings."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from monitor.bus.memory import MemoryBus
from monitor.collect.connection.session import Session, SessionSettings
from monitor.collect.connection.socket import Locate
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.collect.quality.feed_health import REMEDY, FeedHealth
from monitor.collect.rest.client import Rest, locator
from monitor.collect.rest.errors import RestError
from monitor.exchanges.adapter import Adapter, Connection
from monitor.exchanges.instrument import Instrument
from monitor.model.events import Channel

WITHIN_S: Final = 20.0
"""Limit for one socket, seconds: twice the longest time an exchange needs to confirm and deliver."""

MAX_SOCKET_ENDS: Final = 2
"""Number of ended sockets after which the trial stops; the next socket would end too."""

PREFERRED: Final = ("BTC", "ETH")
"""Assets that every market lists and that trade at all hours."""


class FeedFinding(NamedTuple):
    """The result of one check: its name, success, what was found, and the remedy if it failed."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


def probes(instruments: Mapping[str, Instrument]) -> list[str]:
    """Return one symbol of each of a venue's markets: bitcoin's, else ether's, else the first by name."""
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
    """Load the instruments, then open a socket of each connection plan for one symbol and wait until it is ready.

    Ready means that every subscription is confirmed and a dense channel, if there is one, has delivered. Nothing is
    published.
    """
    async with Rest(proxy=settings.socket.proxy if settings else None) as rest:
        client = rest.client(kind, rest_url)
        instruments: dict[str, Instrument] = {}
        blind = kind()
        try:
            for request in kind.instruments_requests:
                async for page in client.pages(request, lambda sent, body: blind.parse_instruments(body, sent)):
                    instruments.update((one.symbol, one) for one in page.instruments)
        except RestError as error:
            remedy = (
                f"check the network, the proxy, and venues.{kind.venue}.rest_url; the exchange's API may have changed"
            )
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
    """Open one socket and wait until it is ready."""
    venue = adapter.venue
    bus = MemoryBus()
    venue_publisher = VenuePublisher(bus.publisher(), OverloadSwitch("bars", 1.0, venue), RejectGate(0.0, 0), clock)
    feed_health = FeedHealth(venue, adapter.known_keys)
    session = Session(
        plan,
        adapter,
        venue_publisher,
        settings,
        clock=clock,
        rng=random.Random(),  # noqa: S311  # jitter is no secret
        locate=locate,
        feed_health=feed_health,
    )
    task = asyncio.create_task(session.run())
    what = f"{venue} {plan.name}"
    try:
        async with asyncio.timeout(within_s):
            while not (session.alive or sum(session.stats.reconnects.values()) >= MAX_SOCKET_ENDS):  # noqa: ASYNC110  # a session offers no event to wait for
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
        detail = f"{plan.url}: {reason or 'no event arrived'}"
        remedy = REMEDY.get(reason or "stale", "try again").format(venue=venue)
        return FeedFinding(what, False, detail, remedy)
    if session.missing:
        names = ", ".join(sorted(topic.name for topic in session.missing))
        detail = f"{plan.url}: delivers, but refuses these topics: {names}"
        return FeedFinding(what, False, detail, f"check the symbols and channels in venues.{venue}")
    drift = feed_health.stats().findings
    if drift:
        names = ", ".join(f"{finding.kind} {finding.detail}" for finding in drift[:3])
        detail = f"{plan.url}: delivers, but its format has changed: {names}"
        return FeedFinding(what, False, detail, "report it with the output of this command")
    return FeedFinding(what, True, f"{plan.url}: subscribed and delivering")
