"""Families of what surrounds the liquidations."""

from __future__ import annotations

from monitor.deliver.metrics.context import context_rows
from monitor.detect.view import ContextView
from monitor.model.signals import (
    InterestChange,
    SignalHolding,
    SignalInterest,
    SignalLevel,
    SignalPace,
    SignalTradfi,
    SignalVolatility,
)
from tests.deliver.metrics.test_monitor import asset

FULL = ContextView(
    SignalInterest(5e9, 30, True, {"30d": InterestChange(-0.283, -0.097, -0.186, 1.0, -5.0)}, 6e4, 2.5),
    [SignalLevel(75_000.0, "stale", True, -0.125)],
    [SignalHolding("Strategy", 1.0, 76_037.0, "2026-02-02", -7.41e9, -0.137, -5.7)],
    0.0001,
    1.5,
    2.0,
    3.0,
    SignalVolatility(44.0, 2.2, 7.0),
    (SignalPace(1.0, 0.5, 0.77, 0.74), SignalPace(1.0, 0.5)),
    0.8,
    SignalTradfi("XYZ:SP500", 1.2, 0.01, 0.9),
    (0.93, None),
)


def rows(context: ContextView) -> dict[tuple[str, ...], float]:
    """Values by name and labels."""
    families = list(context_rows([asset("BTC", context=context)]))
    return {(each.name, *labels): value for each in families for labels, value in each.rows}


def test_what_is_known_is_shown() -> None:
    """Every number once, in base units, with a 1 for a level's state in force."""
    assert rows(FULL) == {
        ("open_interest_age_seconds", "BTC"): 30,
        ("open_interest_suspect", "BTC"): 1,
        ("open_interest_change_ratio", "BTC", "30d", "usd"): -0.283,
        ("open_interest_change_ratio", "BTC", "30d", "constant_price"): -0.097,
        ("open_interest_implied_forced_ratio", "BTC"): 2.5,
        ("level_distance_ratio", "BTC", "75000"): -0.125,
        ("level_state", "BTC", "75000", "above"): 0,
        ("level_state", "BTC", "75000", "testing"): 0,
        ("level_state", "BTC", "75000", "broken"): 0,
        ("level_state", "BTC", "75000", "stale"): 1,
        ("holding_pnl_usd", "Strategy", "BTC"): -7.41e9,
        ("holding_distance_sigma", "Strategy", "BTC"): -5.7,
        ("funding_rate_8h_ratio", "BTC"): 0.0001,
        ("funding_deviations", "BTC"): 1.5,
        ("basis_ratio", "BTC"): 0.0002,
        ("basis_dispersion_ratio", "BTC"): 3.0 / 1e4,
        ("volatility_index_ratio", "BTC"): 0.44,
        ("pace_ratio", "BTC", "long", "24h_7d"): 0.77,
        ("pace_covered_ratio", "BTC", "7d"): 1.0,
        ("pace_covered_ratio", "BTC", "30d"): 0.5,
        ("taker_variance_ratio", "BTC"): 0.8,
        ("fragility_ratio", "BTC", "long"): 0.93,
        ("tradfi_stress_decades",): 1.2,
    }


def test_what_is_unknown_has_no_row() -> None:
    """Absent, not zero."""
    assert rows(ContextView()) == {}
    assert rows(ContextView(SignalInterest(1.0, 1, False, {}))) == {
        ("open_interest_age_seconds", "BTC"): 1,
        ("open_interest_suspect", "BTC"): 0,
    }


def test_every_family_has_its_labels() -> None:
    """As many values a row as labels, names in base units, a help of one sentence."""
    for each in context_rows([asset("BTC", context=FULL)]):
        assert each.rows
        assert each.help.endswith(".")
        assert all(len(labels) == len(each.labels) for labels, _ in each.rows)
