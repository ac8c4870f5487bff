"""Events that a door may accept and that no market sends: tiny, huge and empty values in hostile orders."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from monitor.model.events import (
    MICROS,
    AnyEvent,
    Coverage,
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
    PriceKind,
    Side,
    TakerSide,
    Trade,
    TradeBar,
    VolatilityIndex,
)
from tests.detect.scenarios import START

ASSETS = ("BTC", "SOL", "PEPE")
VENUES = ("bybit", "okx", "binance-usdm")
SIDES: Sequence[Side] = ("long", "short")
TAKERS: Sequence[TakerSide] = ("buy", "sell")
COVERAGES: Sequence[Coverage] = (
    "complete",
    "latest_per_second",
    "largest_per_second",
    "sampled",
    "partial",
    "aggregated",
)
PRICE_KINDS: Sequence[PriceKind] = ("average_fill", "fill", "bankruptcy", "order", "mark")

amounts = st.sampled_from([0.0, 1e-9, 1e-3, 1.0, 5e3, 4e4, 1e6, 3e8, 1e10, 1e12, 1e15]) | st.floats(0.0, 1e13)
"""USD, from nothing to more than there is."""
prices = st.sampled_from([1e-12, 1e-9, 0.01, 99.0, 100.0, 101.0, 6.5e4, 1e9, 1e12]) | st.floats(1e-12, 1e12)
quantities = st.sampled_from([0.0, 1e-300, 1e-12, 1.0, 1e6, 1e20, 1e300]) | st.floats(0.0, 1e21)
ratios = st.sampled_from([0.0, 1e-4, -1e-4, 1.0, -1.0]) | st.floats(-10.0, 10.0)
counts = st.sampled_from([1, 1, 2, 50, 10**6, 10**15])
late = st.sampled_from([0, 0, 0, 0, 1, 3, 59, 61, 400, 4_000, 90_000, 700_000, -1, -4, -600])
"""Seconds by which the event happened before it came."""
pauses = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 7, 30, 60, 61, 300, 3_600, 9_000])
"""Seconds between two arrivals."""


@st.composite
def event(draw: st.DrawFn, arrived: int) -> AnyEvent:
    """Draw one event of any kind that arrives in a second."""
    asset, venue = draw(st.sampled_from(ASSETS)), draw(st.sampled_from(VENUES))
    base = (venue, f"{asset}USDT", asset, (arrived - draw(late)) * MICROS, arrived * MICROS)
    kind = draw(
        st.sampled_from(
            [
                Liquidation,
                Liquidation,
                MarkPrice,
                MarkPrice,
                OpenInterest,
                OpenInterest,
                Trade,
                TradeBar,
                VolatilityIndex,
                Heartbeat,
                Gap,
            ]
        )
    )
    if kind is Liquidation:
        return Liquidation(
            *base,
            draw(st.sampled_from(SIDES)),
            draw(amounts),
            draw(st.sampled_from(COVERAGES)),
            str(draw(st.integers(0, 30))),
            draw(quantities),
            draw(prices),
            draw(st.sampled_from(PRICE_KINDS)),
            draw(counts),
        )
    if kind is MarkPrice:
        return MarkPrice(*base, draw(prices), draw(prices), draw(ratios), (arrived + draw(pauses)) * MICROS)
    if kind is OpenInterest:
        return OpenInterest(*base, draw(quantities), draw(amounts))
    if kind is Trade:
        return Trade(
            *base,
            draw(st.sampled_from(TAKERS)),
            draw(prices),
            draw(quantities),
            draw(amounts),
            draw(counts),
            str(draw(st.integers(0, 30))),
        )
    if kind is TradeBar:
        four = draw(prices), draw(prices), draw(prices), draw(prices)
        both = draw(quantities), draw(quantities), draw(amounts), draw(amounts)
        return TradeBar(*base, draw(st.sampled_from([1, MICROS, 3_600 * MICROS])), *four, *both, draw(counts))
    if kind is VolatilityIndex:
        return VolatilityIndex(*base, draw(st.sampled_from([0.0, 1e-9, 37.0, 44.0, 1e6])))
    if kind is Gap:
        return Gap(venue, "*", "*", *base[3:], "liquidations", base[3], base[4], "stale")
    return Heartbeat(venue, "*", "*", *base[3:], draw(st.sampled_from(["liquidations", "mark_price"])))


@st.composite
def streams(draw: st.DrawFn, most: int = 40) -> list[AnyEvent]:
    """Draw events in the order of their arrival; their own times go back and forth."""
    at, found = START, []
    for pause in draw(st.lists(pauses, min_size=1, max_size=most)):
        at += pause
        found.append(draw(event(at)))
    return found


def dense(seed: int, events: int = 250) -> list[AnyEvent]:
    """Make minutes of one asset's reports every second, tiny and huge by turns, so that feeds are at their limit."""
    draw = random.Random(seed)
    usd = draw.sample([0.0, 1e-7, 1e-3, 500.0, 4e4, 1e7, 1e9, 1e12, 1e15], 3)
    price = draw.sample([1e-12, 1e-3, 99.0, 100.0, 101.0, 6.5e4, 1e12], 3)
    coverage = draw.sample(COVERAGES, 2)
    at = START
    found: list[AnyEvent] = []
    for number in range(events):
        at += draw.choice((0, 1, 1, 1, 2, draw.choice((1, 1, 1, 61))))
        base = (draw.choice(VENUES), "BTCUSDT", "BTC", (at - draw.choice((0, 0, 0, 1, 70))) * MICROS, at * MICROS)
        made: AnyEvent
        if draw.random() < 0.6:
            made = Liquidation(
                *base,
                draw.choice(SIDES),
                draw.choice(usd),
                draw.choice(coverage),
                str(number),
                1.0,
                draw.choice(price),
                "fill",
                draw.choice((1, 5, 10**15)),
            )
        elif draw.random() < 0.5:
            made = MarkPrice(*base, draw.choice(price), draw.choice(price), draw.choice((1e-4, -1.0)))
        elif draw.random() < 0.5:
            made = OpenInterest(*base, draw.choice((0.0, 1e-300, 5.0, 1e20)), draw.choice(usd))
        else:
            made = Trade(*base, draw.choice(TAKERS), draw.choice(price), 1.0, draw.choice(usd), 1, str(number))
        found.append(made)
    return found
