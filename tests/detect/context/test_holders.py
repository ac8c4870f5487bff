"""Unrealised profit of configured holders."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from monitor.detect.context.holders import Holding, profit

STRATEGY = Holding(
    holder="Strategy", asset="BTC", quantity=712_647, average_cost_usd=76_037, as_of=date(2026, 2, 2), source="filing"
)


def test_the_holders_loss_is_that_of_the_live_price() -> None:
    """712,647 BTC at 76,037: 0.9 B down at 74,774, and 7.41 B at 65,640."""
    assert [round(profit(STRATEGY, price, 0.024).pnl_usd / 1e9, 2) for price in (74_774, 65_640)] == [-0.9, -7.41]
    assert profit(STRATEGY, 76_037.01, 0.024).pnl_usd == 7_126.47
    made = profit(STRATEGY.model_copy(update={"equity_usd": 1e10}), 65_640, 0.024)
    assert made.equity_ratio == pytest.approx(-0.7409, abs=1e-4)
    assert (round(made.distance, 3), round(made.sigmas, 1)) == (-0.137, -5.7)


def test_a_holding_needs_a_cost() -> None:
    """A cost of nothing is refused."""
    with pytest.raises(ValidationError, match="average_cost_usd"):
        Holding(holder="X", asset="BTC", quantity=1, average_cost_usd=0, as_of=date(2026, 1, 1), source="y")
