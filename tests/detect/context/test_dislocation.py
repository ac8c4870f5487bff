"""Basis and dispersion as a sign of stress."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.asset import Asset
from monitor.detect.context.dislocation import FRESH_S, STRESS_FULL, STRESS_ZERO, Dislocation, adverse, dispersion
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.score import Item
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MICROS, SIDES, MarkPrice, Side
from tests.detect.scenarios import START
from tests.detect.stored import stored

VENUES = ("binance", "bybit", "okx", "bitget")
QUIET = (-2.0, -1.0, 1.0, 3.0)
BASES = st.floats(-1e6, 1e6)


def quoted(asset: Asset, second: int, bases_bp: tuple[float, ...], *, price: float = 100.0) -> None:
    """A mark of each venue so far from an index at ``price``, all in one second."""
    asset.open(second)
    for venue, basis in zip(VENUES, bases_bp, strict=False):
        at = second * MICROS
        asset.mark_price(MarkPrice(venue, "BTCUSDT", "BTC", at, at, price * (1 + basis / 1e4), price))
    asset.close(second, NO_FEEDS)


def watched(bases_bp: tuple[float, ...] = QUIET) -> tuple[Asset, int]:
    """An asset that saw the bases for two hours, and the next second."""
    asset = Asset("BTC", DetectorSettings())
    for minute in range(1, 121):
        quoted(asset, START + 60 * minute - 1, bases_bp)
    return asset, START + 120 * 60


def item(asset: Asset, side: Side) -> Item | None:
    """The confirming item of basis or dispersion."""
    return next((each for each in asset.confirming_items(side) if each.feature.startswith("basis")), None)


def test_perpetuals_below_the_index_confirm_longs_only() -> None:
    """Two percent below the index on all exchanges: all points against longs, none against shorts."""
    asset, second = watched()
    quoted(asset, second, (-200.0, -202.0, -201.0, -199.0))
    against_longs, against_shorts = item(asset, "long"), item(asset, "short")
    assert against_longs is not None
    assert against_shorts is not None
    assert (against_longs.feature, round(against_longs.value), against_longs.share) == ("basis_bp", 200, 1.0)
    assert against_longs.weight == 4.0
    assert against_shorts.share == 0.0


def test_venues_that_fall_apart_are_stress_for_either_side() -> None:
    """Two exchanges far below the rest and one far above: the smaller range without an end counts."""
    asset, second = watched()
    quoted(asset, second, (-400.0, -300.0, 10.0, 250.0))
    for side in SIDES:
        found = item(asset, side)
        assert found is not None
        assert found.share == 1.0
    against_shorts = item(asset, "short")
    assert against_shorts is not None
    assert (against_shorts.feature, round(against_shorts.value)) == ("basis_dispersion_bp", 410)


@pytest.mark.parametrize("mad", [-9_000.0, -500.0, 500.0, 9e5])
@pytest.mark.parametrize("venues", [2, 3, 4])
def test_one_venue_s_mad_price_gives_nothing(mad: float, venues: int) -> None:
    """A bad tick or a lost peg on one exchange, two to four being there."""
    asset, second = watched(QUIET[:venues])
    quoted(asset, second, (mad, *QUIET[1:venues]))
    for side in SIDES:
        found = item(asset, side)
        assert found is not None
        assert found.share == 0.0


@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=8), BASES)
def test_no_single_venue_moves_either_beyond_the_others(honest: list[float], mad: float) -> None:
    """Whatever one venue says, basis stays within what others say, and dispersion within their range."""
    ordered = sorted([*honest, mad])
    worst = max(map(abs, honest))
    assert all(adverse(side, ordered) <= worst for side in SIDES)
    spread = dispersion(ordered)
    assert spread is None or spread <= max(honest) - min(honest)


def test_one_venue_or_no_index_is_unobservable() -> None:
    """The item is absent then, so that its weight is the others'; stale bases are as none."""
    asset, second = watched(QUIET[:1])
    quoted(asset, second, (-500.0,))
    assert item(asset, "long") is None
    asset, second = watched(QUIET)
    assert item(asset, "long") is not None
    at = second + FRESH_S
    asset.open(at)
    asset.mark_price(MarkPrice("okx", "BTCUSDT", "BTC", at * MICROS, at * MICROS, 90.0))
    asset.close(at, NO_FEEDS)
    assert item(asset, "long") is None


def test_what_is_usual_for_an_asset_is_no_stress() -> None:
    """Perpetuals that stand 40 bp below their index for days: at first surprising, then no more."""
    dislocation, bases = Dislocation(), [-42.0, -40.0, -38.0]
    before = dislocation.against("long", bases)
    for _ in range(2_880):
        dislocation.learn_minute(bases)
    after = dislocation.against("long", bases)
    assert before is not None
    assert after is not None
    assert before.surprise > STRESS_ZERO > 1.0 > after.surprise
    wide = dislocation.against("long", [-420.0, -400.0, -380.0])
    assert wide is not None
    assert wide.surprise > STRESS_FULL


def test_too_few_venues_teach_nothing_and_two_teach_no_dispersion() -> None:
    """What was learned is kept over a restart."""
    alone, pair, both = Dislocation(), Dislocation(), Dislocation()
    alone.learn_minute([-300.0])
    assert alone.state() == both.state()
    pair.learn_minute([-300.0, -310.0])
    assert pair.state().dispersion == both.state().dispersion
    both.load(stored(pair.state()))
    assert both.against("long", [-30.0, -31.0]) == pair.against("long", [-30.0, -31.0])
