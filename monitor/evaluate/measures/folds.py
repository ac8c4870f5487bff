"""Walk-forward: what is set on the past is measured on what comes after, with a gap between (section 4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.evaluate.markets.exposure import Exposure, Spans
from monitor.evaluate.trials.outcomes import Outcome
from monitor.events import MICROS

DAY_US: Final = 86_400 * MICROS
TEST_US: Final = 90 * DAY_US
EMBARGO_US: Final = 30 * DAY_US
"""The detector's longest window: nothing within it of the test may have been seen while training."""


class Fold(NamedTuple):
    """Train on everything before ``train_until_us``, test within [``test_from_us``, ``test_until_us``)."""

    train_until_us: int
    test_from_us: int
    test_until_us: int


def folds(exposures: Sequence[Exposure]) -> list[Fold]:
    """Folds of three months over the time that the exposures span; none where that is too short for one."""
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


def clipped(exposure: Exposure, from_us: int, until_us: int) -> Exposure | None:
    """The part of an exposure within a time; None where there is none."""

    def within(spans: Spans) -> Spans:
        parts = ((max(first, from_us), min(last, until_us)) for first, last in spans)
        return tuple((first, last) for first, last in parts if first < last)

    market = within(exposure.market)
    if not market:
        return None
    return Exposure(exposure.world, {asset: within(spans) for asset, spans in exposure.watched.items()}, market)


def clip(outcomes: Sequence[Outcome], from_us: int, until_us: int) -> list[Outcome]:
    """The outcomes within a time: events by their onset, alerts by theirs; reliefs and changes are left out."""
    found = []
    for outcome in outcomes:
        exposure = clipped(outcome.exposure, from_us, until_us)
        if exposure is not None:
            hits = [hit for hit in outcome.hits if from_us <= hit.label.onset_us < until_us]
            alarms = [one for one in outcome.alarms if from_us <= one.alert.at_us < until_us]
            found.append(Outcome(exposure, hits, alarms))
    return found
