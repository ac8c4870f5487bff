"""Computes the figures of one detector over many markets, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from monitor.lab.evaluate.markets.exposure import MONTH_US, Exposure, split_by_week, week_of
from monitor.lab.evaluate.markets.tape import Floats
from monitor.lab.evaluate.markets.truth import Label, is_market_wide
from monitor.lab.evaluate.measures import intervals
from monitor.lab.evaluate.measures.intervals import Estimate
from monitor.lab.evaluate.trials.matching import Verdict
from monitor.lab.evaluate.trials.outcomes import EventResult, Outcome
from monitor.model.events import MARKET, MICROS

SEVERE: Final = 2
"""Severity from which on an event counts as severe."""

Block = tuple[str, str, str]
"""The unit that the bootstrap draws: market, week and asset; the events of a market-wide episode are one block."""


class Figures(msgspec.Struct, frozen=True):
    """The figures of one detector. Times are in seconds, rates a month of 30 days and asset.

    Attributes:
        name: name of the detector or baseline.
        threshold: threshold of a baseline.
        months: asset-months watched.
        events: number of events.
        alerts: number of alerts.
        recall: share of events that were found.
        severe: the same of severity 2 and 3.
        by_severity: the same by severity.
        carried: events without an alert of their own during which an older one was active.
        precision: share of alerts that found an event.
        false_alarms: number of clean false alarms, those on decoys included.
        false: rate of clean false alarms with the exact Poisson interval.
        drawn: the same rate with the bootstrap's interval.
        near_miss: rate of alerts on near-misses.
        decoys: number of clean false alarms on decoys.
        repeats: number of further alerts in events that were found already.
        waves: recall of second waves.
        delay: median time from onset to alert; negative before the onset.
        delay_p90: 90th percentile of the same.
        flow_delay: median time from the onset of forced flow (``monitor.lab.onset``) to the alert.
        met: median time from onset until the exact rule held, of events found; known for simulated markets.
        before_met: share of events found that were alerted before the exact rule held.
        to_peak: median time from alert to the worst minute of forced flow.
        to_low: median time from alert to the price's extreme.
        before_peak: share of events found that were alerted before the peak.
        printed: median share of the forced notional that had been executed at the alert.
        relief_printed: the same at relief.
        reentry: share of reliefs after which a cascade came again within half an hour.
        changes: mean number of phase changes an episode.
    """

    name: str
    threshold: float | None
    months: float
    events: int
    alerts: int
    recall: Estimate
    severe: Estimate
    by_severity: dict[str, Estimate]
    carried: int
    precision: Estimate
    false_alarms: int
    false: Estimate
    drawn: Estimate
    near_miss: Estimate
    decoys: int
    repeats: int
    waves: Estimate
    delay: Estimate
    delay_p90: Estimate
    flow_delay: Estimate
    met: Estimate
    before_met: Estimate
    to_peak: Estimate
    to_low: Estimate
    before_peak: Estimate
    printed: Estimate
    relief_printed: Estimate
    reentry: Estimate
    changes: float | None


def block_of_event(exposure: Exposure, label: Label, labels: Sequence[Label]) -> Block:
    """Return the block of an event: its asset's, or the market's where enough assets had one at the time."""
    same = {other.asset for other in labels if other.onset_us <= label.end_us and label.onset_us <= other.end_us}
    wide = is_market_wide(len(same), len(exposure.assets))
    return exposure.world, week_of(label.onset_us), MARKET if wide else label.asset


class Blocks:
    """Sums over blocks; all detectors share the blocks, so their differences are paired.

    Args:
        exposures: what was watched of each market.
        labelled: the events of each market, in the same order.
    """

    def __init__(self, exposures: Sequence[Exposure], labelled: Sequence[Sequence[Label]]) -> None:
        self.months: dict[Block, float] = {}
        self.event_blocks: dict[tuple[str, Label], Block] = {}
        for exposure, labels in zip(exposures, labelled, strict=True):
            for asset, spans in exposure.watched.items():
                for start_us, end_us in (week for span in spans for week in split_by_week(*span)):
                    block = (exposure.world, week_of(start_us), asset)
                    self.months[block] = self.months.get(block, 0.0) + (end_us - start_us) / MONTH_US
            for label in labels:
                block = block_of_event(exposure, label, labels)
                self.event_blocks[exposure.world, label] = block
                self.months.setdefault(block, 0.0)
        self._place = {block: place for place, block in enumerate(sorted(self.months))}
        self.exposure = np.array([self.months[block] for block in self._place], np.float64)
        self.weights = intervals.resamples(len(self._place))

    def sums(self, counted: Sequence[Block]) -> Floats:
        """Return how often each block is among the given ones."""
        sums = np.zeros(len(self._place))
        for block in counted:
            if block in self._place:
                sums[self._place[block]] += 1
        return sums

    def lists(self, valued: Sequence[tuple[Block, float]]) -> list[list[float]]:
        """Return the values by block."""
        lists: list[list[float]] = [[] for _ in self._place]
        for block, value in valued:
            lists[self._place[block]].append(value)
        return lists


class PlacedEvent(NamedTuple):
    """An event's result and its block."""

    block: Block
    result: EventResult


def place_events(outcomes: Sequence[Outcome], blocks: Blocks) -> list[PlacedEvent]:
    """Return all events with their blocks."""
    return [
        PlacedEvent(blocks.event_blocks[outcome.exposure.world, result.label], result)
        for outcome in outcomes
        for result in outcome.results
    ]


def found_and_sought(
    outcomes: Sequence[Outcome], blocks: Blocks, is_selected: Callable[[EventResult], bool]
) -> tuple[Floats, Floats]:
    """Return by block the number of events found and of all events, of the selected ones."""
    mine = [one for one in place_events(outcomes, blocks) if is_selected(one.result)]
    return blocks.sums([one.block for one in mine if one.result.at_us is not None]), blocks.sums(
        [one.block for one in mine]
    )


def alarms_by_block(outcomes: Sequence[Outcome], blocks: Blocks, verdicts: tuple[Verdict, ...]) -> Floats:
    """Return the number of alerts with these verdicts by block."""
    return blocks.sums(
        [
            (outcome.exposure.world, week_of(judged.alert.at_us), judged.alert.asset)
            for outcome in outcomes
            for judged in outcome.alarms
            if judged.verdict in verdicts
        ]
    )


def compute_figures(name: str, outcomes: Sequence[Outcome], blocks: Blocks, threshold: float | None = None) -> Figures:
    """Return all figures of one detector over many markets."""
    events = place_events(outcomes, blocks)
    verdicts = [judged.verdict for outcome in outcomes for judged in outcome.alarms]
    false_alarms = verdicts.count("false") + verdicts.count("decoy")
    reliefs = [again for outcome in outcomes for again in outcome.reliefs]
    changes = [count for outcome in outcomes for count in outcome.changes]
    months = float(blocks.exposure.sum())

    def share(is_selected: Callable[[EventResult], bool]) -> Estimate:
        return intervals.ratio(blocks.weights, *found_and_sought(outcomes, blocks, is_selected))

    def rate(*kinds: Verdict) -> Estimate:
        estimate = intervals.ratio(blocks.weights, alarms_by_block(outcomes, blocks, kinds), blocks.exposure)
        return estimate._replace(n=sum(verdict in kinds for verdict in verdicts))

    def of_severity(level: int) -> Estimate:
        return share(lambda result: result.label.severity == level)

    return Figures(
        name=name,
        threshold=threshold,
        months=months,
        events=len(events),
        alerts=len(verdicts),
        recall=share(lambda _result: True),
        severe=share(lambda result: result.label.severity >= SEVERE),
        by_severity={str(level): of_severity(level) for level in (1, 2, 3)},
        carried=sum(one.result.carried for one in events),
        precision=Estimate(verdicts.count("found") / len(verdicts), n=len(verdicts)) if verdicts else Estimate(None),
        false_alarms=false_alarms,
        false=intervals.poisson_rate(false_alarms, months),
        drawn=rate("false", "decoy"),
        near_miss=rate("near_miss"),
        decoys=verdicts.count("decoy"),
        repeats=verdicts.count("repeat"),
        waves=share(lambda result: result.wave),
        **time_figures(events, blocks),
        reentry=Estimate(sum(reliefs) / len(reliefs), n=len(reliefs)) if reliefs else Estimate(None),
        changes=float(np.mean(changes)) if changes else None,
    )


def time_figures(events: Sequence[PlacedEvent], blocks: Blocks) -> dict[str, Estimate]:
    """Return the delays and leads of the events that were found, by field of :class:`Figures`."""

    def known(value: Callable[[EventResult], float | None]) -> list[tuple[Block, float]]:
        valued = [(one.block, value(one.result)) for one in events if one.result.at_us is not None]
        return [(block, number) for block, number in valued if number is not None]

    def over(value: Callable[[EventResult], float | None], share: float = 0.5) -> Estimate:
        return intervals.quantile(blocks.weights, blocks.lists(known(value)), share)[0]

    def early(value: Callable[[EventResult], float | None]) -> Estimate:
        valued = known(value)
        ahead = blocks.sums([block for block, number in valued if number > 0])
        return intervals.ratio(blocks.weights, ahead, blocks.sums([block for block, _ in valued]))

    return {
        "delay": over(delay),
        "delay_p90": over(delay, 0.9),
        "flow_delay": over(lambda result: _seconds(result.label.flow_onset_us, result.at_us)),
        "met": over(lambda result: _seconds(result.label.onset_us, result.label.met_us)),
        "before_met": early(lambda result: _seconds(result.at_us, result.label.met_us)),
        "to_peak": over(lambda result: _seconds(result.at_us, result.label.peak_us)),
        "to_low": over(lambda result: _seconds(result.at_us, result.label.extreme_us)),
        "before_peak": early(lambda result: _seconds(result.at_us, result.label.peak_us)),
        "printed": over(lambda result: result.printed),
        "relief_printed": over(lambda result: result.relief_printed),
    }


def delay(result: EventResult) -> float | None:
    """Return the seconds from onset to alert; None for a missed event."""
    return _seconds(result.label.onset_us, result.at_us)


def _seconds(from_us: int | None, until_us: int | None) -> float | None:
    return None if from_us is None or until_us is None else (until_us - from_us) / MICROS
