"""Groups events by kind and severity, to show which kinds are missed and how soon each is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from monitor.lab.evaluate.measures import intervals
from monitor.lab.evaluate.measures.figures import Blocks, found_and_sought, place_events, time_figures
from monitor.lab.evaluate.measures.intervals import Estimate
from monitor.lab.evaluate.trials.outcomes import EventResult, Outcome

ALL_KINDS: Final = "all"


class Count(msgspec.Struct, frozen=True):
    """Number of events found, and of all events."""

    found: int
    events: int


class Group(msgspec.Struct, frozen=True):
    """The figures of the events of one kind; times are those of :class:`Figures`, in seconds.

    Attributes:
        kind: the simulator's name (flash, grind, squeeze, second_wave), ``rule`` where a rule labelled, or all.
        count: number of events found, and of all.
        recall: share of them that was found.
        carried: events without an alert of their own during which an older one was active.
        by_severity: number found of each severity.
    """

    kind: str
    count: Count
    recall: Estimate
    carried: int
    by_severity: dict[str, Count]
    delay: Estimate
    delay_p90: Estimate
    flow_delay: Estimate
    met: Estimate
    before_met: Estimate
    to_peak: Estimate
    printed: Estimate


def group_by_kind(outcomes: Sequence[Outcome], blocks: Blocks) -> list[Group]:
    """Return one row for all events, and one for each kind there is."""
    kinds = sorted({result.label.kind for outcome in outcomes for result in outcome.results})
    return [_group(outcomes, blocks, kind) for kind in (ALL_KINDS, *(kinds if len(kinds) > 1 else ()))]


def _group(outcomes: Sequence[Outcome], blocks: Blocks, kind: str) -> Group:
    def is_selected(result: EventResult) -> bool:
        return kind in (ALL_KINDS, result.label.kind)

    events = [one for one in place_events(outcomes, blocks) if is_selected(one.result)]
    results = [one.result for one in events]
    known = time_figures(events, blocks)
    return Group(
        kind=kind,
        count=_count(results),
        recall=intervals.ratio(blocks.weights, *found_and_sought(outcomes, blocks, is_selected)),
        carried=sum(result.carried for result in results),
        by_severity={
            str(level): _count([result for result in results if result.label.severity == level]) for level in (1, 2, 3)
        },
        delay=known["delay"],
        delay_p90=known["delay_p90"],
        flow_delay=known["flow_delay"],
        met=known["met"],
        before_met=known["before_met"],
        to_peak=known["to_peak"],
        printed=known["printed"],
    )


def _count(results: Sequence[EventResult]) -> Count:
    return Count(sum(result.at_us is not None for result in results), len(results))
