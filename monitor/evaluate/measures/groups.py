"""Where the misses are: events by their kind and severity, with how soon each kind was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from monitor.evaluate.measures import intervals
from monitor.evaluate.measures.figures import Blocks, found_shares, placed, times
from monitor.evaluate.measures.intervals import Estimate
from monitor.evaluate.trials.outcomes import Hit, Outcome

ALL: Final = "all"


class Count(msgspec.Struct, frozen=True):
    """Events found, of how many."""

    found: int
    events: int


class Group(msgspec.Struct, frozen=True):
    """Events of one kind; times as in :class:`~monitor.evaluate.measures.figures.Figures`, seconds.

    Attributes:
        kind: the generator's word (flash, grind, squeeze, second_wave), ``rule`` where a rule labelled, or all.
        count: all of them.
        recall: found, of all of them.
        carried: events without an alert of their own during which an older one was still up.
        by_severity: how many of each severity were found.
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


def groups(outcomes: Sequence[Outcome], blocks: Blocks) -> list[Group]:
    """One row of all events, and one of each kind there is."""
    kinds = sorted({hit.label.kind for outcome in outcomes for hit in outcome.hits})
    return [_group(outcomes, blocks, kind) for kind in (ALL, *(kinds if len(kinds) > 1 else ()))]


def _group(outcomes: Sequence[Outcome], blocks: Blocks, kind: str) -> Group:
    def wanted(hit: Hit) -> bool:
        return kind in (ALL, hit.label.kind)

    events = [one for one in placed(outcomes, blocks) if wanted(one.hit)]
    hits = [one.hit for one in events]
    known = times(events, blocks)
    return Group(
        kind, _count(hits), intervals.ratio(blocks.weights, *found_shares(outcomes, blocks, wanted)),
        sum(hit.carried for hit in hits),
        {str(level): _count([hit for hit in hits if hit.label.severity == level]) for level in (1, 2, 3)},
        known["delay"], known["delay_p90"], known["flow_delay"], known["met"], known["before_met"], known["to_peak"],
        known["printed"],
    )  # fmt: skip


def _count(hits: Sequence[Hit]) -> Count:
    return Count(sum(hit.at_us is not None for hit in hits), len(hits))
