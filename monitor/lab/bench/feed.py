"""Runs a loopback exchange in a process of its own that sends frames at a given rate, with liquidations throughout.

It uses Bybit's dialect of :mod:`monitor.lab.simulate`; only the frames are made here, as bytes, and many leave in one
write, so that on a small machine most of the time is left for the measured programs.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from decimal import Decimal
from itertools import accumulate
from multiprocessing.connection import Connection
from typing import Final

import uvloop

from monitor.lab.bench.frames import SYMBOLS, ZIPF
from monitor.lab.simulate.exchanges.bybit import Bybit
from monitor.lab.simulate.exchanges.server import ExchangeServer
from monitor.lab.simulate.listings import BYBIT, Asset, Listing
from monitor.lab.simulate.tape import Quote
from monitor.model.events import MICROS

TICK_S: Final = 0.01
"""Interval at which frames leave, seconds; a hundredth of the measured delays."""
STRESSED: Final = 6
"""Number of assets whose longs are liquidated all the time, so that each has a signal every second."""
FALL_A_SECOND: Final = 2e-4
"""Fall of all prices a second, because forced flow without a move is no cascade."""
LIQUIDATION_USD: Final = 50_000.0
"""Notional of each liquidation, USD, ten a second and asset: far above every floor."""

ASSETS: Final = tuple(
    Asset(
        name=name,
        price=100.0,
        beta=1.0,
        volatility=1e-4,
        open_interest_usd=1e6,
        trades_per_s=1.0,
        listings={
            BYBIT: Listing(
                venue=BYBIT, symbol=f"{name}USDT", asset=name, base=name, units=1, price_decimals=4, lot=Decimal("0.01")
            )
        },
    )
    for name in ("BTC", "ETH", *(f"COIN{number:03d}" for number in range(2, SYMBOLS)))
)
TRADE: Final = (
    '{"topic":"publicTrade.%s","type":"snapshot","ts":%d,"data":[{"T":%d,"s":"%s","S":"%s","v":"%.2f","p":"%.4f",'
    '"L":"MinusTick","i":"00000000-0000-4000-8000-%012x","BT":false,"RPI":false,"seq":%d}]}'
)
LIQUIDATION: Final = (
    '{"topic":"allLiquidation.%s","type":"snapshot","ts":%d,"data":[{"T":%d,"s":"%s","S":"Buy","v":"%.2f","p":"%.4f"}]}'
)


def framed(text: str) -> bytes:
    """Return a websocket text frame as servers send it (https://www.rfc-editor.org/rfc/rfc6455#section-5.2)."""
    body = text.encode()
    head = bytes([0x81, len(body)]) if len(body) < 126 else b"\x81\x7e" + len(body).to_bytes(2)
    return head + body


class PacedExchange(ExchangeServer):
    """Runs the exchange with its market: every symbol trades, and longs of the first ones are liquidated."""

    def __init__(self, rng: random.Random) -> None:
        self._began_us = now_us()
        lots = {BYBIT: 1_000_000}
        quotes = {each.name: Quote(each.price, each.price, 1e-4, self._began_us, lots) for each in ASSETS}
        super().__init__(Bybit(ASSETS, quotes, self._began_us))
        self._rng = rng
        self._symbols = [each.listings[BYBIT].symbol for each in ASSETS]
        self._weights = list(accumulate(1 / (rank + 1) ** ZIPF for rank in range(len(ASSETS))))
        self._sequence = self._began_us
        self._ticks = 0

    def tick(self, frames: int) -> None:
        """Send ``frames`` trades, and the liquidations that are due."""
        at_us = now_us()
        ms, price = at_us // 1_000, 100.0 * (1 - FALL_A_SECOND * (at_us - self._began_us) / MICROS)
        by_topic: dict[str, list[bytes]] = defaultdict(list)
        for symbol in self._rng.choices(self._symbols, cum_weights=self._weights, k=frames):
            self._sequence += 1
            number, side = self._sequence, "Buy" if self._rng.random() < 0.3 else "Sell"
            text = TRADE % (symbol, ms, ms, symbol, side, 1 + number % 97, price, number & 0xFFFFFFFFFFFF, number)
            by_topic[f"publicTrade.{symbol}"].append(framed(text))
        for symbol in self._symbols[self._ticks % 10 : STRESSED : 10]:  # each one every tenth tick
            text = LIQUIDATION % (symbol, ms, ms, symbol, LIQUIDATION_USD / price, price)
            by_topic[f"allLiquidation.{symbol}"].append(framed(text))
        self._ticks += 1
        for client in self._clients.values():
            wanted = client.topics & by_topic.keys()
            client.connection.transport.write(b"".join(frame for topic in wanted for frame in by_topic[topic]))


def now_us() -> int:
    """Return microseconds since the epoch, UTC."""
    return time.time_ns() // 1_000


def serve(control: Connection) -> None:
    """Run the exchange: send its websocket and REST address, then receive rates in frames a second, until 0."""
    uvloop.run(_serve(control))


async def _serve(control: Connection) -> None:
    async with PacedExchange(random.Random(1)) as exchange:
        control.send((exchange.ws_url, exchange.rest_url))
        rate, owed = 1, 0.0
        loop = asyncio.get_running_loop()
        last = loop.time()
        while rate:
            await asyncio.sleep(TICK_S)
            if control.poll():
                rate = control.recv()
            now = loop.time()
            owed += rate * (now - last)
            last = now
            exchange.tick(int(owed))
            owed -= int(owed)
