"""Signals of an episode, as the detector sends them, and pages of them."""

from __future__ import annotations

from typing import Any, Final

from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.text import Links
from monitor.model.events import MICROS
from monitor.model.signals import (
    Evidence,
    Phase,
    SideTotals,
    Signal,
    SignalCoverage,
    WindowTotals,
)

T0: Final = 1_764_000_000 * MICROS


def signal(revision: int, phase: Phase, previous: Phase, **changes: Any) -> Signal:
    """Signal ``revision`` of an episode of longs of BTC, a second after the one before."""
    fields: dict[str, Any] = {
        "episode_id": "BTC-long-20251124T160000Z",
        "revision": revision,
        "asset": "BTC",
        "phase": phase,
        "previous_phase": previous,
        "direction": "long",
        "risk_score": 72.0,
        "event_time_us": T0 + revision * MICROS,
        "emitted_time_us": T0 + revision * MICROS + 1000,
        "started_us": T0,
        "price": 95_000.0,
        "drawdown_pct": -4.25,
        "liquidated_usd": SideTotals(12_300_000.0, 400_000.0),
        "windows": {"1m": WindowTotals(5_000_000.0, 0.0, 80)},
        "evidence": [Evidence("flow_surprise", 6.1, 1.0, 20.0)],
        "coverage": SignalCoverage(["binance-usdm", "bybit"], ["okx"], 0.6),
    }
    return Signal(**(fields | changes))


def market(revision: int, phase: Phase, previous: Phase, **changes: Any) -> Signal:
    """The same of the market."""
    return signal(revision, phase, previous, asset="MARKET", episode_id="MARKET-long-20251124T160000Z", **changes)


KEY = "BTC-long-20251124T160000Z"
LINKS = Links(
    "https://grafana.example/d/cascade-asset?var-asset={asset}&from={from_ms}&to={to_ms}",
    "https://docs.example/cascade.md",
    "cascade-monitor replay RECORDING --json # {episode_id}",
)
TRIGGER = Page("trigger", KEY, "error", signal(95, "cascade", "building", notes=["degraded"]))
RESOLVE = Page("resolve", KEY, "info", signal(900, "calm", "relief"))
UNSEEN = Page("resolve", KEY, "info")
