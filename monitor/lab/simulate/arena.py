"""Runs the market and its three exchanges on this machine and plays a scenario in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from monitor.lab.simulate.exchanges.binance_usdm import BinanceUsdm
from monitor.lab.simulate.exchanges.bybit import Bybit
from monitor.lab.simulate.exchanges.dialect import Dialect
from monitor.lab.simulate.exchanges.okx import Okx
from monitor.lab.simulate.exchanges.server import HOST, ExchangeServer
from monitor.lab.simulate.history import history
from monitor.lab.simulate.ledger import Ledger
from monitor.lab.simulate.listings import ASSETS
from monitor.lab.simulate.market import STEP_US, Market
from monitor.lab.simulate.scenario import Progress, Scenario
from monitor.model.events import MICROS, AnyEvent
from monitor.roles.clock import wall_clock_us

DIALECTS: Final[tuple[type[Dialect], ...]] = (BinanceUsdm, Bybit, Okx)
DRAIN_S: Final = 2.0
"""Time that the last frames may take to reach their clients, seconds."""
POLL_S: Final = 0.01
"""Interval at which the drain is checked, seconds."""


class Arena:
    """Runs the exchanges as an async context manager.

    Event times on the wire are the clock's, so a collector finds them as fresh as a real exchange's. The market is calm
    before :meth:`play`, and nothing is sent then.

    Args:
        scenario: the scenario to play.
        seed: seed of the market; the same seed gives the same market.
        warmup_s: seconds of calm that :meth:`history` yields; the market begins that long ago.
        feedback: True if forced orders move the price.
        clock: returns microseconds since the epoch.
        host: address on which the exchanges listen.
        port: port of the first exchange, followed by the others; 0 takes free ones.

    Attributes:
        market: the market itself.
        exchanges: servers by venue, each with its ledger and its addresses.
    """

    def __init__(
        self,
        scenario: Scenario,
        seed: int = 1,
        *,
        warmup_s: int = 0,
        feedback: bool = True,
        clock: Callable[[], int] = wall_clock_us,
        host: str = HOST,
        port: int = 0,
    ) -> None:
        self._clock = clock
        self._warmup_s = warmup_s
        # On a whole second, so that the history's steps and throttle windows are the clock's seconds.
        begin = clock() // MICROS * MICROS - warmup_s * MICROS
        self.market = Market(scenario, seed, begin, feedback=feedback)
        quotes = self.market.quotes()
        self.exchanges: Mapping[str, ExchangeServer] = {
            dialect.venue: ExchangeServer(dialect(ASSETS, quotes, clock()), host, port and port + place)
            for place, dialect in enumerate(DIALECTS)
        }
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the servers."""
        async with AsyncExitStack() as stack:
            for exchange in self.exchanges.values():
                await stack.enter_async_context(exchange)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the servers and cut all clients."""
        await self._stack.aclose()

    @property
    def progress(self) -> Progress:
        """Return the position of the market in the scenario."""
        return self.market.progress

    def ledger(self, venue: str) -> Ledger:
        """Return the ledger of one exchange."""
        return self.exchanges[venue].dialect.ledger

    def history(self) -> Iterator[AnyEvent]:
        """Yield the calm before now as contract events; to be read once, before :meth:`play`."""
        yield from history(self.market, self._warmup_s)
        for exchange in self.exchanges.values():
            exchange.dialect.observe(self.market.quotes(), self.market.now_us)

    async def watched(self) -> None:
        """Wait until every exchange has, at the same moment, a client that subscribed to liquidations."""
        while not all(exchange.is_watched for exchange in self.exchanges.values()):
            for exchange in self.exchanges.values():
                await exchange.watched()

    def drop_all(self) -> int:
        """Cut every websocket of every exchange and return their number."""
        return sum(exchange.drop_all() for exchange in self.exchanges.values())

    async def play(self) -> None:
        """Play the scenario from now on in real time to its end, then send what the throttles still hold."""
        self.market.begin(max(self._clock(), self.market.now_us))
        while not self.progress.done:
            ahead_us = self.market.now_us + STEP_US - self._clock()
            # When behind the clock, steps follow at once; the sleep of 0 s still lets the sockets work.
            await asyncio.sleep(max(0, ahead_us) / MICROS)
            step = self.market.step()
            for exchange in self.exchanges.values():
                exchange.publish(exchange.dialect.frames_for(step))
        for exchange in self.exchanges.values():
            exchange.publish(exchange.dialect.flush())
        await self._drain()

    async def _drain(self) -> None:
        """Wait until everything is written, or no client is connected."""
        for _ in range(round(DRAIN_S / POLL_S)):
            if not any(exchange.waiting for exchange in self.exchanges.values()):
                return
            await asyncio.sleep(POLL_S)
