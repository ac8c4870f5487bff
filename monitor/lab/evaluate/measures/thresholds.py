"""Chooses thresholds of the baselines on one set of markets, by their false alerts or by their recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from monitor.lab.evaluate.trials.outcomes import Outcome

BUDGETS: Final = (1.0, 4.0)
"""Budgets for alerts that find no event, a month and asset: a tight one and a generous one."""
NO_EVENT: Final = frozenset({"false", "decoy", "near_miss"})
"""Verdicts of alerts that found no event."""


def false_alert_rate(outcomes: Sequence[Outcome]) -> float:
    """Return the alerts a month and asset that found no event, near-misses included."""
    months = sum(outcome.exposure.months for outcome in outcomes)
    wrong = sum(judged.verdict in NO_EVENT for outcome in outcomes for judged in outcome.alarms)
    return wrong / months if months else 0.0


def recall_of(outcomes: Sequence[Outcome]) -> float | None:
    """Return the share of events that were found; None where there were none."""
    results = [result for outcome in outcomes for result in outcome.results]
    return sum(result.at_us is not None for result in results) / len(results) if results else None


def lowest_within_budget(by_threshold: Mapping[float, Sequence[Outcome]], budget: float) -> float:
    """Return the lowest threshold from which on a rule stays within the budget, or else the highest one."""
    chosen = max(by_threshold)
    for threshold in sorted(by_threshold, reverse=True):
        if false_alert_rate(by_threshold[threshold]) > budget:
            break
        chosen = threshold
    return chosen


def highest_reaching(by_threshold: Mapping[float, Sequence[Outcome]], is_selected: float) -> float:
    """Return the highest threshold at which a rule finds at least this share, or the most that it can.

    It is not the lowest: a rule whose alert never ends finds little, because an alert finds one event.
    """
    found = {threshold: recall_of(outcomes) or 0.0 for threshold, outcomes in by_threshold.items()}
    enough = min(is_selected, max(found.values()))
    return max(threshold for threshold, share in found.items() if share >= enough)
