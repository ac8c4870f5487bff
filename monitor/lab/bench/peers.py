"""Runs cryptofeed and river beside the monitor: only where they are installed, never as a dependency.

cryptofeed is AGPL-3.0 from 3.0 on, so it is installed in the bench's own environment (``make bench``).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from monitor.exchanges.instrument import Instrument
from monitor.lab.bench.frames import Frame, instruments

Handler = Callable[[str, object, float], Any]


def version(package: str) -> str | None:
    """Return the version of an installed package, None where it is not installed."""
    if importlib.util.find_spec(package) is None:
        return None
    return importlib.metadata.version(package)


class Cryptofeed:
    """Runs cryptofeed's message handlers with callbacks that only count.

    The symbol tables that it would fetch over REST are set from the generated instruments. A handler never waits, so
    one ``send`` runs all of them to the end; an event loop would only add to their time.
    """

    def __init__(self) -> None:
        from cryptofeed.defines import LIQUIDATIONS, TRADES
        from cryptofeed.exchanges import EXCHANGE_MAP
        from cryptofeed.symbols import Symbols

        for logger in ("feedhandler", "cryptofeed"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)  # it logs every frame that it does not know
        self.events = 0
        self.failed = 0
        self._handlers: dict[str, tuple[Handler, object]] = {}
        names = {"binance-usdm": "BINANCE_FUTURES", "bybit": "BYBIT", "okx": "OKX"}
        for venue, name in names.items():
            symbols = {_normalised(item): item.symbol for item in instruments(venue).values()}
            Symbols.set(name, symbols, {"instrument_type": {}, "tick_size": {}})
            feed = EXCHANGE_MAP[name](
                subscription={TRADES: list(symbols)}, callbacks={TRADES: self._count, LIQUIDATIONS: self._count}
            )
            connection = SimpleNamespace(address="wss://127.0.0.1/v5/public/linear", uuid=name)
            self._handlers[venue] = (feed.message_handler, connection)

    async def _count(self, _event: object, _received: float) -> None:
        self.events += 1

    def prepare(self, frames: Iterable[Frame]) -> list[tuple[Handler, str, object, float]]:
        """Return the input of :meth:`run`: text frames, as its websocket client delivers them."""
        work = []
        for frame in frames:
            handler, connection = self._handlers[frame.venue]
            work.append((handler, frame.data.decode(), connection, frame.received_us / 1e6))
        return work

    def run(self, work: list[tuple[Handler, str, object, float]]) -> int:
        """Handle every frame; ``failed`` counts those that a handler cannot read (2.4.1: OKX's liquidations)."""
        self.events = self.failed = 0
        try:
            self._handle(work).send(None)
        except StopIteration:
            return len(work)
        raise RuntimeError("a handler of cryptofeed awaited something: it needs an event loop")

    async def _handle(self, work: list[tuple[Handler, str, object, float]]) -> None:
        for handler, text, connection, received in work:
            try:
                await handler(text, connection, received)
            except KeyError:
                self.failed += 1


def _normalised(item: Instrument) -> str:
    return f"{item.asset}-USDT-PERP"
