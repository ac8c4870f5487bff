"""What traditional markets say for a cascade of the whole market."""

from __future__ import annotations

import pytest

from monitor.detect.asset_summary import AssetSummary
from monitor.detect.context.context_summary import ContextSummary, IndexStress
from monitor.detect.context.market_context import FRESH_S
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.market import Market
from monitor.detect.settings import DetectorSettings
from monitor.model.events import Side
from monitor.model.sides import BySide

TUESDAY = 1_700_006_400 - 1_700_006_400 % 86_400
"""2023-11-14, 00:00 UTC."""
HOUR = 3_600


def stressed(second: int, decades: float, *, index: str = "XYZ:SP500", waited_s: int = 0) -> Market:
    """A market whose index told its stress at the second, judged as much later."""
    market = Market(DetectorSettings())
    told = ContextSummary(0.0, 0, suspect=False, changes={}, stress=IndexStress(decades, 0.03, 4.0))
    market.take(
        AssetSummary(
            asset=index,
            second=second,
            liquidations=(),
            price=5_000.0,
            is_mark=True,
            stressed=BySide(False, False),
            phases=BySide("calm", "calm"),
            venues=(),
            context=told,
        )
    )
    market.close(second + waited_s, NO_FEEDS)
    return market


def points(market: Market, side: Side = "long") -> float | None:
    """What stress of traditional markets gives, None where it is not told."""
    found = [item for item in market.confirming_items(side) if item.feature == "tradfi_stress"]
    return found[0].weight * found[0].share if found else None


@pytest.mark.parametrize(
    ("at", "full"),
    [
        (16 * HOUR, True),
        (14 * HOUR + 1_799, False),
        (14 * HOUR + 1_800, True),
        (20 * HOUR - 1, True),
        (20 * HOUR, False),
        (3 * HOUR, False),
        (4 * 24 * HOUR + 16 * HOUR, False),  # Saturday
    ],
)
def test_an_index_under_stress_confirms_and_half_as_much_off_hours(at: int, full: bool) -> None:
    """Two points while New York trades, one at night and on weekends; a cascade of shorts gets none."""
    market = stressed(TUESDAY + at, 5.0)
    assert points(market) == (2.0 if full else 1.0)
    assert points(market, "short") is None


def test_small_or_old_stress_gives_nothing() -> None:
    """Three decades are the ramp's foot; what was told ten minutes ago is not told at all."""
    at = TUESDAY + 16 * HOUR
    assert points(stressed(at, 3.0)) == 0.0
    assert points(stressed(at, 4.0)) == 1.0
    assert points(stressed(at, 6.0, waited_s=FRESH_S + 60)) is None
    assert points(stressed(at, 6.0, index="BTC")) is None
