"""Variance of the takers' balance."""

from __future__ import annotations

import pytest

from monitor.detect.context.taker_variance import LEAST_MINUTES, TakerVariance
from tests.detect.stored import stored


def test_the_takers_variance_needs_a_day() -> None:
    """Absent before, a minute counts once, and a restart changes nothing."""
    variance = TakerVariance()
    for minute in range(LEAST_MINUTES - 1):
        variance.minute(minute, float(minute % 2))
        variance.minute(minute, 1e9)
    assert variance.ratio is None
    again = TakerVariance()
    again.load(stored(variance.state()))
    for each in (variance, again):
        each.minute(LEAST_MINUTES, 0.0)
    assert again.ratio == variance.ratio
    assert variance.ratio == pytest.approx(1.0, abs=0.02)
