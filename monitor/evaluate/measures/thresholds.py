"""Thresholds of the baselines: chosen on one set of markets, by what they cost or by what they find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from monitor.evaluate.trials.outcomes import Outcome

BUDGETS: Final = (1.0, 4.0)
"""Alerts a month and asset that find no event, the two budgets of section 3.7."""
NO_EVENT: Final = frozenset({"false", "decoy", "near_miss"})


def cost(outcomes: Sequence[Outcome]) -> float:
    """Alerts a month and asset that found no event, near-misses included."""
    months = sum(outcome.exposure.months for outcome in outcomes)
    wrong = sum(judged.verdict in NO_EVENT for outcome in outcomes for judged in outcome.alarms)
    return wrong / months if months else 0.0


def recall(outcomes: Sequence[Outcome]) -> float | None:
    """Share of events that were found; None where there were none."""
    hits = [hit for outcome in outcomes for hit in outcome.hits]
    return sum(hit.at_us is not None for hit in hits) / len(hits) if hits else None


def within_budget(by_threshold: Mapping[float, Sequence[Outcome]], budget: float) -> float:
    """The lowest threshold from which on a rule costs no more than the budget; the highest one where none does."""
    chosen = max(by_threshold)
    for threshold in sorted(by_threshold, reverse=True):
        if cost(by_threshold[threshold]) > budget:
            break
        chosen = threshold
    return chosen


def at_recall(by_threshold: Mapping[float, Sequence[Outcome]], wanted: float) -> float:
    """The highest threshold at which a rule finds at least this share, or the most that it can.

    Not the lowest: a rule that is always up finds little, because an alert finds one event.
    """
    found = {threshold: recall(outcomes) or 0.0 for threshold, outcomes in by_threshold.items()}
    enough = min(wanted, max(found.values()))
    return max(threshold for threshold, share in found.items() if share >= enough)
