"""Hand-made tapes for the tests of this folder: a price that falls in a straight line, forced orders, coins."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from monitor.lab.evaluate.markets.exposure import Exposure
from monitor.lab.evaluate.markets.tape import Tape, Tapes
from monitor.lab.evaluate.markets.truth import Label, Truth
from monitor.model.events import MICROS, AnyEvent, Coverage, Liquidation, MarkPrice, OpenInterest, Side

START = 1_700_006_400
"""Start of all tapes, seconds since the epoch; a multiple of an hour."""
_numbers = count()


def mark(second: int, price: float, asset: str = "BTC", venue: str = "okx") -> MarkPrice:
    """Return a mark price, ``second`` seconds after the start."""
    at = (START + second) * MICROS
    return MarkPrice(venue=venue, symbol=asset, asset=asset, event_time_us=at, receive_time_us=at, mark_price=price)


def forced(
    second: int, usd: float, side: Side = "long", asset: str = "BTC", coverage: Coverage = "complete"
) -> Liquidation:
    """Return a forced order."""
    at = (START + second) * MICROS
    return Liquidation(
        venue="okx",
        symbol=asset,
        asset=asset,
        event_time_us=at,
        receive_time_us=at,
        side=side,
        notional_usd=usd,
        coverage=coverage,
        id=f"{next(_numbers)}",
    )


def interest(second: int, coins: float, price: float = 100.0, venue: str = "okx") -> OpenInterest:
    """Return an open interest of BTC."""
    at = (START + second) * MICROS
    return OpenInterest(
        venue=venue,
        symbol="BTC",
        asset="BTC",
        event_time_us=at,
        receive_time_us=at,
        open_interest=coins,
        open_interest_usd=coins * price,
    )


def tape(events: Iterable[AnyEvent], asset: str = "BTC") -> Tape:
    """Return the tape of one asset."""
    tapes = Tapes()
    tapes.add(sorted(events, key=lambda event: event.event_time_us))
    return tapes.tape(asset)


def fall(hours: int = 6, drop: float = 0.06, at: int = 3 * 3_600, length: int = 600) -> list[MarkPrice]:
    """Return prices every ten seconds: 100 until ``at``, then down to 100 * (1 - drop) in ``length`` seconds."""
    prices = []
    for second in range(0, hours * 3_600, 10):
        done = min(1.0, max(0.0, (second - at) / length))
        prices.append(mark(second, 100.0 * (1.0 - drop * done)))
    return prices


def label(
    onset: int, end: int, asset: str = "BTC", direction: Side = "long", kind: Truth = "event", severity: int = 2
) -> Label:
    """Return a label between two seconds after the start; its peak and its low are in the middle."""
    middle = (START + (onset + end) // 2) * MICROS
    return Label(
        type=kind,
        asset=asset,
        direction=direction,
        onset_us=(START + onset) * MICROS,
        peak_us=middle,
        extreme_us=middle,
        end_us=(START + end) * MICROS,
        severity=severity,
    )


def unbroken(world: str, assets: Iterable[str], first_us: int, last_us: int) -> Exposure:
    """Return an exposure that watches all assets from the first time to the last one."""
    spans = ((first_us, last_us),)
    return Exposure(world, dict.fromkeys(assets, spans), spans)
