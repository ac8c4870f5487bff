"""Events and small markets that the tests of this folder share.

All of them begin at :data:`START`, the first second of an hour. An event arrives in the second
in which it happened unless ``arrived`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import msgspec

from monitor.detect.asset import Asset
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings, PhaseSettings
from monitor.model.events import (
    MICROS,
    AnyEvent,
    Coverage,
    Event,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Side,
    Trade,
)
from monitor.model.signals import Signal, SignalCoverage

START = 1_700_006_400
"""A multiple of an hour, so that every ring's bucket begins here."""
NO_COVERAGE = SignalCoverage([], [], 0.0)
"""What signals are compared without."""
BRISK = DetectorSettings(
    phases=PhaseSettings(relief_calm_seconds=120, building_calm_seconds=60),
)
"""Default thresholds, with the long waits for calm cut to two minutes and one."""

_numbers = count()


def liquidation(
    second: int,
    usd: float,
    side: Side = "long",
    venue: str = "bybit",
    asset: str = "BTC",
    *,
    id_: str = "",
    coverage: Coverage = "complete",
    orders: int = 1,
    arrived: int | None = None,
) -> Liquidation:
    """One liquidation; an id of its own unless one is given."""
    return Liquidation(
        venue=venue,
        symbol=f"{asset}USDT",
        asset=asset,
        event_time_us=second * MICROS,
        receive_time_us=(second if arrived is None else arrived) * MICROS,
        side=side,
        notional_usd=usd,
        coverage=coverage,
        id=id_ or f"{venue}:{next(_numbers)}",
        orders=orders,
    )


def mark(second: int, price: float, venue: str = "bybit", asset: str = "BTC") -> MarkPrice:
    """One mark price."""
    return MarkPrice(venue, f"{asset}USDT", asset, second * MICROS, second * MICROS, price)


def trade(second: int, usd: float, taker_side: str = "sell", venue: str = "bybit", asset: str = "BTC") -> Trade:
    """One trade print at a price of 100."""
    return Trade(
        venue,
        f"{asset}USDT",
        asset,
        second * MICROS,
        second * MICROS,
        "sell" if taker_side == "sell" else "buy",
        100.0,
        usd / 100.0,
        usd,
        1,
        f"t{next(_numbers)}",
    )


def interest(second: int, units: float, usd: float, venue: str = "bybit", asset: str = "BTC") -> OpenInterest:
    """One open interest."""
    return OpenInterest(venue, f"{asset}USDT", asset, second * MICROS, second * MICROS, units, usd)


def ramp(start: int, seconds: int, before: float, after: float, asset: str = "BTC", step: int = 1) -> list[AnyEvent]:
    """Marks that go in a straight line from one price to another."""
    return [
        mark(start + at, before + (after - before) * at / seconds, asset=asset) for at in range(0, seconds + 1, step)
    ]


def burst(
    start: int, seconds: int, usd: float, side: Side = "long", venues: Sequence[str] = ("bybit",), asset: str = "BTC"
) -> list[AnyEvent]:
    """A liquidation of as many USD each second, the venues taking turns."""
    return [
        liquidation(start + at, usd, side, venues[at % len(venues)], asset, id_=f"{asset}:{side}:{start + at}")
        for at in range(seconds)
    ]


def crash(start: int = START, asset: str = "BTC", *, side: Side = "long", usd: float = 200_000.0) -> list[AnyEvent]:
    """Ten calm minutes, a two-minute cascade of 6 %, a rebound of half of it, and then nothing but marks.

    seconds  0 ......... 600 ......... 720 ......... 780 ........................... 1500
    price    100             94 (106)        97 (103)
    """
    turn = -1.0 if side == "long" else 1.0
    events = [
        *ramp(start, 600, 100.0, 100.0, asset, 5),
        *ramp(start + 601, 119, 100.0, 100.0 + 6 * turn, asset),
        *ramp(start + 721, 59, 100.0 + 6 * turn, 100.0 + 3 * turn, asset),
        *ramp(start + 785, 715, 100.0 + 3 * turn, 100.0 + 3 * turn, asset, 5),
        *burst(start + 601, 119, usd, side, ("bybit", "okx"), asset),
    ]
    return in_order(events)


def in_order(events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """By arrival; events of one second keep their order."""
    return sorted(events, key=lambda event: event.receive_time_us // MICROS)


def play(
    events: Iterable[Event], settings: DetectorSettings | None = None, until: int | None = None
) -> tuple[Detector, list[Signal]]:
    """A new detector that took the events, and its signals; every second before ``until`` is closed."""
    detector = Detector(settings)
    signals = detector.apply(events)
    return detector, signals + detector.advance(until if until is not None else detector.second + 1)


def encoded(signals: Iterable[Signal]) -> bytes:
    """The bytes of signals."""
    return msgspec.json.encode(list(signals))


def turns(signals: Iterable[Signal], asset: str = "BTC", side: Side = "long") -> list[Signal]:
    """The signals of one scope and side in which its phase changed."""
    return [
        signal
        for signal in signals
        if signal.asset == asset and signal.direction == side and signal.phase != signal.previous_phase
    ]


def seconds_of(signals: Iterable[Signal]) -> Iterator[int]:
    """The closed second that each signal is of."""
    return (signal.event_time_us // MICROS - 1 for signal in signals)


def close_every_second(asset: Asset, events: Iterable[AnyEvent], until: int) -> list[Signal]:
    """Feed an asset's marks, liquidations and trades and close each second, without any sleep."""
    signals: list[Signal] = []
    second = 0
    for event in [*in_order(events), None]:
        arrived = until if event is None else event.receive_time_us // MICROS
        while second and second < arrived:
            asset.open(second)
            signals += asset.close(second, NO_FEEDS)
            second += 1
        second = arrived
        asset.open(second)
        if isinstance(event, Liquidation):
            asset.liquidation(event)
        elif isinstance(event, MarkPrice):
            asset.mark_price(event)
        elif isinstance(event, Trade):
            asset.trade(event)
    return signals
