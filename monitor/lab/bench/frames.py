"""Generates a seeded stream of mixed frames in the three exchanges' formats, shaped like a crash.

Shares, arrival and skew follow a message set that was fixed before the project began, so that figures stay comparable:
of a thousand frames 445 are Binance aggregate trades, 302 Bybit trades, 223 OKX trades, and 12, 12 and 6 are their
liquidations, which are five times as dense in the burst. There are 300 symbols with Zipf exponent 1.05, and 5,000
frames a second, then one burst to 88,000 that decays over the last two fifths of the frames.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from monitor.exchanges.instrument import Instrument

SYMBOLS: Final = 300
ZIPF: Final = 1.05
CALM_PER_S: Final = 5_000
BURST_PER_S: Final = 88_000
BURST_SHARE: Final = 0.4
START_US: Final = 1_760_130_900_000_000  # 2025-10-10 21:15 UTC, the worst minute on record
OKX_CONTRACT: Final = 0.01
DELAY_US: Final = 40_000
"""Delay from the exchange's clock to receipt, microseconds, as for a distant collector."""

SHARES: Final = {"binance-usdm": 445, "bybit": 302, "okx": 223}
LIQUIDATION_SHARE: Final = {"binance-usdm": 12, "bybit": 12, "okx": 6}
LIQUIDATIONS_CALM: Final = 1 / 3
LIQUIDATIONS_BURST: Final = 2.0
"""Liquidations relative to their mean share: 1 % of the calm frames, 6 % of the burst's, 3 % of all."""

TRADES_A_FRAME_CALM: Final = 2.0
TRADES_A_FRAME_BURST: Final = 4.5
"""Mean number of trades in Bybit's frames, geometric."""


Json = dict[str, object]


class Frame(NamedTuple):
    """One frame with its venue, its time of receipt and its number of events."""

    venue: str
    received_us: int
    data: bytes
    events: int


class _Market:
    """Holds prices and counters of all symbols, and makes each kind of frame with one method."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.bases = ["BTC", "ETH", "SOL"] + [f"COIN{number:03d}" for number in range(3, SYMBOLS)]
        self.prices = [100_000.0, 4_000.0, 200.0] + [rng.uniform(0.05, 50) for _ in self.bases[3:]]
        self.weights = list(accumulate(1 / (rank + 1) ** ZIPF for rank in range(SYMBOLS)))
        self.sequence = 3_000_000_000

    def draw(self) -> tuple[str, str, int]:
        """Return a symbol's base, its next price, and a new number for ids."""
        index = self.rng.choices(range(SYMBOLS), cum_weights=self.weights)[0]
        self.prices[index] *= 1 + self.rng.gauss(0, 0.0002)
        self.sequence += self.rng.randint(1, 4)
        return self.bases[index], f"{self.prices[index]:.5g}", self.sequence

    def size(self) -> str:
        """Return a quantity from a heavy-tailed distribution."""
        return f"{self.rng.paretovariate(1.3) / 10:.3f}"

    def binance_trade(self, ms: int, _mean: float) -> tuple[object, int]:
        base, price, number = self.draw()
        symbol, size = base + "USDT", self.size()
        body: Json = {"e": "aggTrade", "E": ms + 3, "a": number, "s": symbol, "p": price, "q": size, "nq": size}
        body |= {"f": 2 * number, "l": 2 * number + 1, "T": ms, "m": self.rng.random() < 0.5, "st": 1}
        return {"stream": f"{symbol.lower()}@aggTrade", "data": body}, 1

    def binance_liquidation(self, ms: int, _mean: float) -> tuple[object, int]:
        base, price, _ = self.draw()
        size, side = self.size(), self.rng.choice(("SELL", "BUY"))
        order: Json = {"s": base + "USDT", "S": side, "o": "LIMIT", "f": "IOC", "q": size, "p": price, "ap": price}
        order |= {"X": "FILLED", "l": size, "z": size, "T": ms}
        return {"stream": "!forceOrder@arr", "data": {"e": "forceOrder", "E": ms + 2, "st": 1, "o": order}}, 1

    def bybit_trade(self, ms: int, mean: float) -> tuple[object, int]:
        base, price, number = self.draw()
        symbol = base + "USDT"
        rows: list[Json] = []
        while not rows or self.rng.random() < 1 - 1 / mean:
            row: Json = {"T": ms, "s": symbol, "S": self.rng.choice(("Buy", "Sell")), "v": self.size(), "p": price}
            row |= {"L": "ZeroPlusTick", "i": str(UUID(int=self.rng.getrandbits(128))), "BT": False, "RPI": False}
            rows.append(row | {"seq": number})
        return {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": ms + 1, "data": rows}, len(rows)

    def bybit_liquidation(self, ms: int, _mean: float) -> tuple[object, int]:
        base, price, _ = self.draw()
        symbol = base + "USDT"
        row = {"T": ms, "s": symbol, "S": self.rng.choice(("Buy", "Sell")), "v": self.size(), "p": price}
        return {"topic": f"allLiquidation.{symbol}", "type": "snapshot", "ts": ms + 1, "data": [row]}, 1

    def okx_trade(self, ms: int, _mean: float) -> tuple[object, int]:
        base, price, number = self.draw()
        symbol = f"{base}-USDT-SWAP"
        row: Json = {"instId": symbol, "tradeId": str(number), "px": price, "sz": self.size(), "count": "2"}
        row |= {"side": self.rng.choice(("buy", "sell")), "ts": str(ms), "seqId": number}
        return {"arg": {"channel": "trades", "instId": symbol}, "data": [row]}, 1

    def okx_liquidation(self, ms: int, _mean: float) -> tuple[object, int]:
        base, price, _ = self.draw()
        side, position = self.rng.choice((("sell", "long"), ("buy", "short")))
        detail = {"bkLoss": "0", "bkPx": price, "ccy": "", "posSide": position, "side": side, "sz": self.size()}
        row: Json = {"details": [detail | {"ts": str(ms)}], "instFamily": f"{base}-USDT"}
        row |= {"instId": f"{base}-USDT-SWAP", "instType": "SWAP", "uly": f"{base}-USDT"}
        return {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": [row]}, 1


def generate(count: int, seed: int = 20251010) -> Iterator[Frame]:
    """Yield ``count`` frames in order of receipt, the same for the same seed."""
    market = _Market(random.Random(seed))
    makers = [
        ("binance-usdm", market.binance_trade, market.binance_liquidation),
        ("bybit", market.bybit_trade, market.bybit_liquidation),
        ("okx", market.okx_trade, market.okx_liquidation),
    ]
    frames_by_venue = {venue: SHARES[venue] + LIQUIDATION_SHARE[venue] for venue in SHARES}
    calm = round(count * (1 - BURST_SHARE))
    at_us = float(START_US)
    for index in range(count):
        burst = index >= calm
        decay = 1 - (index - calm) / max(1, count - calm) if burst else 0.0
        at_us += 1e6 / (CALM_PER_S + (BURST_PER_S - CALM_PER_S) * decay**2)
        venue, trade, liquidation = market.rng.choices(makers, weights=list(frames_by_venue.values()))[0]
        density = LIQUIDATIONS_BURST if burst else LIQUIDATIONS_CALM
        forced = market.rng.random() < density * LIQUIDATION_SHARE[venue] / frames_by_venue[venue]
        mean = TRADES_A_FRAME_BURST if burst else TRADES_A_FRAME_CALM
        body, events = (liquidation if forced else trade)(int(at_us) // 1_000, mean)
        yield Frame(venue, int(at_us) + DELAY_US, orjson.dumps(body), events)


def instruments(venue: str) -> dict[str, Instrument]:
    """Return the instruments that the venue's REST endpoint would list for the generated symbols."""
    bases = _Market(random.Random(0)).bases
    if venue == "okx":
        return {f"{base}-USDT-SWAP": Instrument(f"{base}-USDT-SWAP", base, 1, OKX_CONTRACT, "base") for base in bases}
    return {f"{base}USDT": Instrument(f"{base}USDT", base, 1, 1.0, "base") for base in bases}
