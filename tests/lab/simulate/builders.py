"""Steps, orders and prints by hand, and plain readers that share no code with the program's own adapters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from monitor.lab.simulate.exchanges.binance_usdm import BinanceUsdm
from monitor.lab.simulate.exchanges.bybit import Bybit
from monitor.lab.simulate.exchanges.dialect import Dialect
from monitor.lab.simulate.exchanges.okx import Okx
from monitor.lab.simulate.ledger import Entry
from monitor.lab.simulate.listings import ASSETS, VENUE_SHARES, Listing
from monitor.lab.simulate.tape import ForcedOrder, Print, Quote, Step
from monitor.model.events import MICROS, Side, TakerSide

T0 = 1_790_000_000 * MICROS
DIALECTS: tuple[type[Dialect], ...] = (BinanceUsdm, Bybit, Okx)
QUOTES = {
    asset.name: Quote(asset.price, asset.price, 0.0001, T0 + 3_600 * MICROS, dict.fromkeys(VENUE_SHARES, 1_000))
    for asset in ASSETS
}


def listing(venue: str, asset: str = "BTC") -> Listing:
    """One asset's listing on one venue."""
    return next(one for one in ASSETS if one.name == asset).listings[venue]


def order(
    venue: str, at_ms: int, side: Side = "long", asset: str = "BTC", lots: int = 115, number: int = 1
) -> ForcedOrder:
    """A forced order ``at_ms`` after :data:`T0`, filled at the asset's start price, bankrupt 0.4 % beyond."""
    where = listing(venue, asset)
    price = next(one.price for one in ASSETS if one.name == asset)
    beyond = price * (0.996 if side == "long" else 1.004)
    return ForcedOrder(
        order_id=number,
        listing=where,
        side=side,
        lots=lots,
        last_fill_lots=1,
        fill_ticks=where.ticks(price),
        bankruptcy_ticks=where.ticks(beyond),
        time_us=T0 + at_ms * 1_000,
    )


def trade(venue: str, at_ms: int, taker: TakerSide = "sell", ticks: int = 650_000, lots: int = 7) -> Print:
    """A print of BTC."""
    return Print(listing(venue), taker, ticks, lots, T0 + at_ms * 1_000)


def step(
    end_ms: int,
    forced: Iterable[ForcedOrder] = (),
    prints: Iterable[Print] = (),
    quotes: Mapping[str, Quote] | None = None,
) -> Step:
    """A step of 100 ms that ends ``end_ms`` after :data:`T0`."""
    end_us = T0 + end_ms * 1_000
    return Step(end_us - 100_000, end_us, list(prints), list(forced), dict(quotes or QUOTES))


def _micro(*factors: str) -> int:
    exact = Decimal(MICROS)
    for factor in factors:
        exact *= Decimal(factor)
    assert exact == int(exact), factors
    return int(exact)


def read_binance(frame: Mapping[str, Any]) -> list[Entry]:
    """Forced orders of a per-symbol stream, as feeds.md reads them."""
    content = frame.get("data", frame)
    if not isinstance(content, dict) or content.get("e") != "forceOrder" or content["st"] != 1:
        return []
    one = content["o"]
    assert one["X"] == "FILLED"
    return [Entry(one["s"], "long" if one["S"] == "SELL" else "short", _micro(one["z"], one["ap"]))]


def read_bybit(frame: Mapping[str, Any]) -> list[Entry]:
    """Forced orders of an ``allLiquidation`` frame: ``S`` is the position's side."""
    if not str(frame.get("topic", "")).startswith("allLiquidation."):
        return []
    sides: dict[str, Side] = {"Buy": "long", "Sell": "short"}
    return [Entry(row["s"], sides[row["S"]], _micro(row["v"], row["p"])) for row in frame["data"]]


def read_okx(
    frame: Mapping[str, Any], contract_values: Mapping[str, str], newer_than_ms: int = T0 // 1_000
) -> list[Entry]:
    """Forced orders of a ``liquidation-orders`` frame, all details, by the order's side; old ones are backlog."""
    if frame.get("arg", {}).get("channel") != "liquidation-orders" or "data" not in frame:
        return []
    sides: dict[str, Side] = {"sell": "long", "buy": "short"}
    return [
        Entry(row["instId"], sides[one["side"]], _micro(one["sz"], contract_values[row["instId"]], one["bkPx"]))
        for row in frame["data"]
        for one in row["details"]
        if int(one["ts"]) >= newer_than_ms
    ]


def contract_values(dialect: Dialect) -> dict[str, str]:
    """``ctVal`` by instrument, from the REST answer."""
    body = dialect.rest("/api/v5/public/instruments", {"instType": "SWAP"})
    assert body is not None
    return {row["instId"]: row["ctVal"] for row in json.loads(body)["data"]}
