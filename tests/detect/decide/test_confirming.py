"""What leverage and context say for a cascade."""

from __future__ import annotations

import pytest

from monitor.detect.asset import Asset
from monitor.detect.decide.confirming import closed, leverage
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MICROS, VolatilityIndex
from tests.detect.scenarios import START, interest, mark

SETTINGS = DetectorSettings(levels={"BTC": (75_000.0, 70_000.0)})


def followed(prices: dict[int, float], coins: dict[int, float]) -> Asset:
    """An asset after an hour of marks and open interest, by second since the start, every minute closed."""
    asset, price = Asset("BTC", SETTINGS), prices[0]
    for at in range(3_661):
        asset.open(START + at)
        price = prices.get(at, price)
        if at % 10 == 0:
            asset.mark_price(mark(START + at, price))
        if at in coins:
            asset.interest(interest(START + at, coins[at], coins[at] * price))
        asset.close(START + at, NO_FEEDS)
    return asset


def test_open_interest_that_falls_in_coins_confirms() -> None:
    """14 % of the coins gone within the hour give almost all of their 6 points; a price that falls alone gives none."""
    steps = dict.fromkeys(range(0, 3_601, 300), 1_000.0)
    gone = followed({0: 80_000.0}, steps | {3_000: 930.0, 3_300: 900.0, 3_600: 860.0})
    [item] = [
        each
        for each in leverage(gone.context, "long", gone.scope.state.second)
        if each.feature.startswith("open_interest")
    ]
    assert item.share > 0.7
    fallen = followed({0: 80_000.0, 3_000: 68_000.0}, steps)
    [item] = [
        each for each in leverage(fallen.context, "long", fallen.scope.state.second) if each.feature.startswith("open")
    ]
    assert item.share == 0.0
    assert leverage(fallen.context, "long", fallen.scope.state.second + 700) == []


def test_what_was_closed_is_told_in_dollars() -> None:
    """140 of 1,000 coins at 80,000 USD are gone within the hour: 11.2 million, whatever the price does since."""
    gone = followed({0: 80_000.0, 3_500: 70_000.0}, {0: 1_000.0, 900: 950.0, 1_800: 900.0, 3_600: 860.0})
    [item] = closed(gone.context, gone.scope.state.second)
    assert (item.feature, item.share) == ("implied_closed_usd_1h", 1.0)
    assert item.value == pytest.approx(11.2e6)
    assert closed(gone.context, gone.scope.state.second + 700) == []
    grown = followed({0: 80_000.0}, dict.fromkeys(range(0, 3_601, 300), 1_000.0) | {3_600: 1_100.0})
    [item] = closed(grown.context, grown.scope.state.second)
    assert (item.value, item.share) == (0.0, 0.0)
    assert closed(Asset("SOL", SETTINGS).context, START) == []


def test_a_level_that_just_broke_confirms_for_longs_only() -> None:
    """78,000 to 74,500: the level of 75,000 is broken for less than an hour."""
    asset = followed({0: 78_000.0, 3_000: 74_500.0}, {0: 1_000.0})
    found = {item.feature: item.share for item in asset.confirming_items("long")}
    assert found["level_broken_1h"] == 1.0
    assert "level_broken_1h" not in {item.feature for item in asset.confirming_items("short")}
    held = followed({0: 78_000.0}, {0: 1_000.0})
    assert {item.feature: item.share for item in held.confirming_items("long")}["level_broken_1h"] == 0.0


def test_nothing_known_says_nothing() -> None:
    """Without open interest, funding, levels or implied volatility there is no item, so nothing is missing."""
    assert Asset("SOL", SETTINGS).confirming_items("long") == []


def test_implied_volatility_that_jumps_confirms_on_both_sides() -> None:
    """An index that doubles within a day of calm."""
    asset = followed({0: 78_000.0}, {0: 1_000.0})
    for at in range(0, 90_000, 600):
        value = 80.0 if at > 86_000 else 40.0
        asset.volatility_index(
            VolatilityIndex("deribit", "DVOL", "BTC", (START + at) * MICROS, (START + at) * MICROS, value)
        )
    shares = [
        item.share
        for side in ("long", "short")
        for item in asset.confirming_items(side)
        if item.feature == "implied_volatility_jump"
    ]
    assert shares == pytest.approx([shares[0]] * 2)
