"""Records to send, numbered so that a reader can tell them apart."""

from __future__ import annotations

from monitor.model.events import (
    ALL,
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Reject,
    Trade,
    TradeBar,
    VolatilityIndex,
)
from monitor.model.signals import (
    SideTotals,
    Signal,
    SignalCoverage,
    WindowTotals,
)

START_US = 1_760_130_000_000_000
"""2025-10-10 21:00 UTC, in the busiest hour on record."""
VENUE = "bybit"


def liquidation(number: int, asset: str = "BTC") -> Liquidation:
    """A long position of 0.5 that died."""
    time_us = START_US + number
    return Liquidation(
        VENUE,
        f"{asset}USDT",
        asset,
        time_us,
        time_us + 50_000,
        "long",
        60_000.5,
        "complete",
        str(number),
        0.5,
        120_001.0,
    )


def trade(number: int, asset: str = "BTC") -> Trade:
    """A sale."""
    time_us = START_US + number
    return Trade(
        VENUE, f"{asset}USDT", asset, time_us, time_us + 50_000, "sell", 120_001.0, 0.25, 30_000.25, 1, str(number)
    )


def bar(number: int, asset: str = "BTC") -> TradeBar:
    """100 ms of trades."""
    head = (VENUE, f"{asset}USDT", asset, START_US + number, START_US + number)
    return TradeBar(*head, 100_000, 5.0, 6.0, 4.0, 5.5, 10.0, 20.0, 55.0, 110.0, 7)


def mark_price(number: int, asset: str = "BTC") -> MarkPrice:
    """A mark price without funding."""
    return MarkPrice(VENUE, f"{asset}USDT", asset, START_US + number, START_US + number, 120_000.0 + number)


def open_interest(number: int, asset: str = "BTC") -> OpenInterest:
    """Open interest."""
    return OpenInterest(VENUE, f"{asset}USDT", asset, START_US + number, START_US + number, 1_000.0, 120_000_000.0)


def volatility(number: int, asset: str = "BTC") -> VolatilityIndex:
    """An implied volatility."""
    return VolatilityIndex("deribit", f"{asset}-DVOL", asset, START_US + number, START_US + number, 55.5)


def gap(number: int, asset: str = ALL) -> Gap:
    """A second in which nothing could be seen."""
    time_us = START_US + number
    return Gap(VENUE, asset, asset, time_us, time_us, "liquidations", time_us - 1_000_000, time_us, "disconnect")


def heartbeat(number: int, asset: str = ALL) -> Heartbeat:
    """A sign of life."""
    return Heartbeat(VENUE, asset, asset, START_US + number, START_US + number, "liquidations")


def reject(number: int) -> Reject:
    """A frame that was no JSON."""
    return Reject(
        VENUE, "malformed", f"row {number}: \u201cnot JSON\u201d", START_US + number, b"\x00{\xff" + bytes(40)
    )


def signal(number: int, asset: str = "BTC") -> Signal:
    """A cascade's beginning."""
    return Signal(
        episode_id=f"{asset}-long-1760130000",
        revision=number,
        asset=asset,
        phase="cascade",
        previous_phase="building",
        direction="long",
        risk_score=81.5,
        event_time_us=START_US + number,
        emitted_time_us=START_US + number + 10,
        started_us=START_US,
        price=None,
        drawdown_pct=-4.5,
        liquidated_usd=SideTotals(long=1e8, short=2e6),
        windows={"1m": WindowTotals(long=5e7, short=1e6, count=1200)},
        evidence=[],
        coverage=SignalCoverage(venues_seen=[VENUE], venues_in_gap=[], complete_share=0.75),
    )
