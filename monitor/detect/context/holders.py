"""Large holders whose cost is known: their unrealised profit, and the price's distance from their cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat


class Holding(BaseModel):
    """A holder's position as of a date, from a named source: context for a desk, and at most one point of a score."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    holder: str = Field(min_length=1, description="Name of the holder.")
    asset: str = Field(min_length=1, pattern=r"^[A-Z0-9:._-]+$", description="Canonical asset, upper case.")
    quantity: PositiveFloat = Field(description="Quantity held, in base units.")
    average_cost_usd: PositiveFloat = Field(description="Average cost of one unit, USD.")
    equity_usd: PositiveFloat | None = Field(None, description="The holder's equity, USD, where it is known.")
    as_of: date = Field(description="Date of the figures.")
    source: str = Field(min_length=1, description="Where they were published.")


class HoldingProfit(NamedTuple):
    """Profit of a holding at a price.

    Attributes:
        pnl_usd: unrealised profit, USD; negative for a loss.
        distance: the price's distance from the average cost, a ratio of the cost.
        sigmas: the same in standard deviations of a day's return.
        equity_ratio: profit over equity; None where that is not known.
    """

    pnl_usd: float
    distance: float
    sigmas: float
    equity_ratio: float | None


def profit(holding: Holding, price: float, sigma_1d: float) -> HoldingProfit:
    """Return a holding's unrealised profit at a price, exact in decimals.

    It is always computed from the live price: in early February 2026 a loss of "nearly 900 million" was quoted beside
    a price at which it was 7.4 billion.

    Example:
        >>> strategy = Holding(holder="Strategy", asset="BTC", quantity=712_647, average_cost_usd=76_037,
        ...                    as_of=date(2026, 2, 2), source="company filing")
        >>> [round(profit(strategy, price, 0.024).pnl_usd / 1e9, 2) for price in (74_774, 65_640)]
        [-0.9, -7.41]
        >>> round(profit(strategy, 65_640, 0.024).sigmas, 1)
        -5.7
    """
    cost = Decimal(str(holding.average_cost_usd))
    pnl = float(Decimal(str(holding.quantity)) * (Decimal(str(price)) - cost))
    distance = price / holding.average_cost_usd - 1.0
    return HoldingProfit(pnl, distance, distance / sigma_1d, pnl / holding.equity_usd if holding.equity_usd else None)
