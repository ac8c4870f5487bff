"""Thresholds."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from monitor.detect.settings import DetectorSettings, FloorSettings, JudgedSettings, MarketSettings


def sections() -> list[BaseModel]:
    """The detector's settings and each of its sections."""
    settings = DetectorSettings()
    held = [getattr(settings, name) for name in DetectorSettings.model_fields]
    return [settings, *(each for each in held if isinstance(each, BaseModel))]


def test_every_threshold_says_what_it_is() -> None:
    """No key without a description: the configuration's document is made of them."""
    for section in sections():
        for name, field in type(section).model_fields.items():
            assert field.description, name


def test_an_unknown_key_is_refused() -> None:
    """A misspelt threshold must not be ignored."""
    with pytest.raises(ValidationError, match="floor_us"):
        FloorSettings.model_validate({"floor_us": 1})


def test_settings_do_not_change() -> None:
    """A detector can rely on what it was given."""
    with pytest.raises(ValidationError, match="frozen"):
        FloorSettings().floor_usd = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (FloorSettings, {"floor_usd": 0}),
        (JudgedSettings, {"flow_windows": []}),
        (JudgedSettings, {"move_windows": ["2h"]}),
        (JudgedSettings, {"flow_windows": ["10s"], "pace_window": "1m"}),
        (JudgedSettings, {"move_windows": ["1h"], "stress_window": "5m"}),
        (MarketSettings, {"largest_share": 1.5}),
        (MarketSettings, {"breadth": 0}),
    ],
)
def test_a_senseless_value_is_refused(model: type[BaseModel], value: dict[str, object]) -> None:
    """Zero floors, no windows, windows that nobody keeps and shares above one are errors."""
    with pytest.raises(ValidationError):
        model.model_validate(value)


def test_thresholds_rise_in_order() -> None:
    """By default a cascade needs more than building, and a jump to it more again."""
    phases = DetectorSettings().phases
    assert phases.blind_score < phases.building_score < phases.rush_score < phases.cascade_score < phases.fast_score
