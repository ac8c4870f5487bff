"""Conversion of context readings to the fields of a signal, and their rounding."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from monitor.detect.context.context_summary import VolatilityReading
from monitor.detect.context.holders import Holding, profit
from monitor.detect.context.levels import Level
from monitor.detect.context.open_interest import Change
from monitor.detect.context.pace import MONTH_HOURS, WEEK_HOURS, WatchedHours, pace_of
from monitor.detect.flow.flow import Flow
from monitor.detect.price.price import Price
from monitor.detect.view import ContextView
from monitor.model.events import MICROS, SIDES, Side
from monitor.model.signals import (
    InterestChange,
    Signal,
    SignalHolding,
    SignalLevel,
    SignalPace,
    SignalVolatility,
)

DIGITS: Final = 6
"""Decimals of a ratio in a signal: a hundredth of a basis point."""
EXACT_DIGITS: Final = 12
"""Decimals of the ratios whose sum must be exact to 1e-9."""
BY_SIDE: Final = ("pace", "fragility")
"""Fields that a view has for both sides and a signal for its own side."""


def write(signal: Signal, view: ContextView) -> None:
    """Write the known readings into a signal; the others stay absent."""
    for name, value in zip(ContextView._fields, view, strict=True):
        if name not in BY_SIDE and value is not None and value not in ((), []):
            setattr(signal, name, value)
    side = SIDES.index(signal.direction)
    if view.pace is not None:
        signal.pace = view.pace[side]
    fragility = view.fragility[side]
    if fragility is not None:
        signal.fragility = round(fragility, 4)


def change_field(change: Change, *, coins: bool) -> InterestChange:
    """Return a change of open interest; ``usd`` is the sum of the two parts as printed, to 1e-12."""
    return InterestChange(
        usd=round(change.usd, EXACT_DIGITS),
        constant_price=round(change.constant_price, EXACT_DIGITS),
        price_effect=round(change.price_effect, EXACT_DIGITS),
        covered=round(change.covered, DIGITS),
        coins=change.coins if coins else UNSET,
    )


def volatility_field(reading: VolatilityReading) -> SignalVolatility:
    """Return implied volatility as a signal shows it."""
    return SignalVolatility(
        value=reading.value,
        surprise=round(reading.surprise, 2),
        change_24h=UNSET if reading.change_24h is None else round(reading.change_24h, DIGITS),
    )


def pace_fields(flow: Flow, watched: WatchedHours) -> tuple[SignalPace, SignalPace] | None:
    """Return the pace of longs and of shorts; None before the first second was closed."""
    if not flow.table:
        return None
    covered = watched.share(WEEK_HOURS), watched.share(MONTH_HOURS)
    return _pace_field(flow, "long", covered), _pace_field(flow, "short", covered)


def _pace_field(flow: Flow, side: Side, covered: tuple[float, float]) -> SignalPace:
    pace = pace_of(flow.usd("24h", side), flow.usd("7d", side), flow.usd("30d", side), *covered)
    ratios = [UNSET if ratio is None else round(ratio, DIGITS) for ratio in pace[:4]]
    return SignalPace(round(covered[0], DIGITS), round(covered[1], DIGITS), *ratios)


def level_field(level: Level) -> SignalLevel:
    """Return a price level as a signal shows it."""
    return SignalLevel(
        price=level.price,
        state=level.state,
        broken=level.broken,
        distance_ratio=round(level.distance, DIGITS),
        broken_us=UNSET if level.broken_at is None else level.broken_at * MICROS,
    )


def holding_field(holding: Holding, price: Price) -> SignalHolding:
    """Return a holding at the last price as a signal shows it."""
    found = profit(holding, price.last or 0.0, price.sigma)
    return SignalHolding(
        holder=holding.holder,
        quantity=holding.quantity,
        average_cost_usd=holding.average_cost_usd,
        as_of=holding.as_of.isoformat(),
        pnl_usd=round(found.pnl_usd, 2),
        distance_ratio=round(found.distance, DIGITS),
        distance_sigma=round(found.sigmas, 3),
        equity_ratio=UNSET if found.equity_ratio is None else round(found.equity_ratio, DIGITS),
    )
