"""Defines what the demo plays, and the settings that fit an hour's course into ninety seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from monitor.detect.settings import BaselineSettings, DetectorSettings, FloorSettings, JudgedSettings, PhaseSettings
from monitor.lab.simulate.arena import Arena
from monitor.settings import Settings
from monitor.settings.tree import CollectorSettings, DeliverySettings, LogSettings, VenueSettings

SEED: Final = 1
WARMUP_S: Final = 1_800
"""Calm from which the detector learns before the scenario begins, seconds."""

DETECTOR: Final = DetectorSettings(
    baseline=BaselineSettings(frozen_after_minutes=1, lag_minutes=1, warmup_hours=WARMUP_S / 3600),
    judged=JudgedSettings(
        flow_windows=("5s", "10s", "30s"),
        move_windows=("30s", "1m"),
        stress_window="30s",
        pace_window="5s",
        quiet_window="10s",
    ),
    floors=FloorSettings(rush_sigmas={}),
    phases=PhaseSettings(
        fast_pace_seconds=3,
        slow_pace_seconds=10,
        building_seconds=2,
        building_calm_seconds=5,
        extreme_min_seconds=3,
        extreme_max_seconds=10,
        relief_hold_seconds=2,
        relief_calm_seconds=4,
        min_dwell_seconds=2,
    ),
)
"""The default thresholds with windows and holding times of a tenth or less, because minutes are seconds here."""


def demo_settings(arena: Arena, cache: Path, signals: str | None) -> Settings:
    """Return settings of role ``all`` that connect to the arena instead of the exchanges."""
    venues = {
        venue: VenueSettings(
            ws_url=exchange.ws_url, rest_url=exchange.rest_url, channels=("liquidations", "trades", "mark_price")
        )
        for venue, exchange in arena.exchanges.items()
    }
    return Settings(
        venues=venues,
        collector=CollectorSettings(
            instruments_cache=cache, history=False, backfill=False
        ),  # the simulated exchanges have no history
        detector=DETECTOR,
        delivery=DeliverySettings(port=0, state_file=None, signals_output=signals),
        log=LogSettings(level="warning"),
    )
