"""Divides time for walk-forward tests: what is set on the past is measured on what follows, with a gap between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.lab.evaluate.markets.exposure import Exposure, Spans
from monitor.lab.evaluate.trials.outcomes import Outcome
from monitor.model.events import MICROS

DAY_US: Final = 86_400 * MICROS
TEST_US: Final = 90 * DAY_US
EMBARGO_US: Final = 30 * DAY_US
"""Gap between training and test: the detector's longest window, so that no window spans both, microseconds."""


class Fold(NamedTuple):
    """Train on everything before ``train_until_us``, test within [``test_from_us``, ``test_until_us``)."""

    train_until_us: int
    test_from_us: int
    test_until_us: int


def make_folds(exposures: Sequence[Exposure]) -> list[Fold]:
    """Return folds of three months over the time of the exposures; none where it is too short for one."""
    if not exposures:
        return []
    first = min(exposure.first_us for exposure in exposures)
    last = max(exposure.last_us for exposure in exposures)
    found = []
    until = first + TEST_US
    while until + EMBARGO_US < last:
        found.append(Fold(until, until + EMBARGO_US, until + EMBARGO_US + TEST_US))
        until += TEST_US
    return found


def clip_exposure(exposure: Exposure, from_us: int, until_us: int) -> Exposure | None:
    """Return the part of an exposure within a time; None where there is none."""

    def inside(spans: Spans) -> Spans:
        parts = ((max(first, from_us), min(last, until_us)) for first, last in spans)
        return tuple((first, last) for first, last in parts if first < last)

    market = inside(exposure.market)
    if not market:
        return None
    return Exposure(exposure.world, {asset: inside(spans) for asset, spans in exposure.watched.items()}, market)


def clip_outcomes(outcomes: Sequence[Outcome], from_us: int, until_us: int) -> list[Outcome]:
    """Return the outcomes within a time: events and alerts that began in it, without reliefs and changes."""
    found = []
    for outcome in outcomes:
        exposure = clip_exposure(outcome.exposure, from_us, until_us)
        if exposure is not None:
            results = [result for result in outcome.results if from_us <= result.label.onset_us < until_us]
            alarms = [one for one in outcome.alarms if from_us <= one.alert.at_us < until_us]
            found.append(Outcome(exposure, results, alarms))
    return found
