"""The figures of section 4.3 over many markets, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from monitor.evaluate.markets.exposure import MONTH_US, Exposure, week_of, weeks
from monitor.evaluate.markets.tape import Floats
from monitor.evaluate.markets.truth import MARKET, Label, are_market
from monitor.evaluate.measures import intervals
from monitor.evaluate.measures.intervals import Estimate
from monitor.evaluate.trials.matching import Verdict
from monitor.evaluate.trials.outcomes import Hit, Outcome
from monitor.events import MICROS

SEVERE: Final = 2

Block = tuple[str, str, str]
"""What is drawn as a whole: market, calendar week, and asset; all assets' events of a market-wide episode are one."""


class Figures(msgspec.Struct, frozen=True):
    """How one detector did. Times in seconds; rates a month of 30 days and asset.

    Attributes:
        name: the detector; ``threshold`` a baseline's.
        months: asset-months watched.
        events: number of events, by severity in ``by_severity`` with the recall of each.
        recall: found, of all events; ``severe`` of those of severity 2 and 3; ``waves`` of second waves.
        carried: events without an alert of their own during which an older one was still up.
        precision: alerts that found an event, of all alerts.
        false: clean false alarms, their rate with the exact Poisson interval; ``drawn`` with the bootstrap's.
        near_miss: alerts on near-misses, a rate; ``decoys`` those on decoys (they are false alarms as well), a count.
        repeats: further alerts within an event that had been found.
        delay: from onset to alert, median; ``delay_p90``; negative is before the onset.
        flow_delay: the same from where the flow began (``monitor.onset``), of those found that say when.
        met: from onset until the exact rule held, median of those found; ``before_met`` alerted before that, of those
            found. Known of simulated markets only.
        to_peak: from alert to the worst minute of forced flow, median; ``to_low`` to the price's extreme.
        before_peak: alerted before the peak, of those found.
        printed: share of the forced notional printed at the alert, median; ``relief_printed`` at relief.
        reentry: reliefs after which a cascade came again within half an hour.
        changes: phase changes an episode, mean.
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


def event_block(exposure: Exposure, label: Label, labels: Sequence[Label]) -> Block:
    """Where an event lies: with its asset, or with the market's where enough of the assets had one to be it."""
    same = {
        other.asset
        for other in labels
        if other.onset_us <= label.end_us and label.onset_us <= other.end_us
    }  # fmt: skip
    wide = are_market(len(same), len(exposure.assets))
    return exposure.world, week_of(label.onset_us), MARKET if wide else label.asset


class Blocks:
    """Sums over blocks, the same blocks for every detector, so that their differences are paired.

    Args:
        exposures: what was watched.
        labelled: the events of each, in the same order.
    """

    def __init__(self, exposures: Sequence[Exposure], labelled: Sequence[Sequence[Label]]) -> None:
        self.months: dict[Block, float] = {}
        self.event_blocks: dict[tuple[str, Label], Block] = {}
        for exposure, labels in zip(exposures, labelled, strict=True):
            for asset, spans in exposure.watched.items():
                for start_us, end_us in (week for span in spans for week in weeks(*span)):
                    block = (exposure.world, week_of(start_us), asset)
                    self.months[block] = self.months.get(block, 0.0) + (end_us - start_us) / MONTH_US
            for label in labels:
                block = event_block(exposure, label, labels)
                self.event_blocks[exposure.world, label] = block
                self.months.setdefault(block, 0.0)
        self._place = {block: place for place, block in enumerate(sorted(self.months))}
        self.exposure = np.array([self.months[block] for block in self._place], np.float64)
        self.weights = intervals.resamples(len(self._place))

    def sums(self, counted: Sequence[Block]) -> Floats:
        """How many of the given blocks each block is."""
        sums = np.zeros(len(self._place))
        for block in counted:
            if block in self._place:
                sums[self._place[block]] += 1
        return sums

    def lists(self, valued: Sequence[tuple[Block, float]]) -> list[list[float]]:
        """Values by block."""
        lists: list[list[float]] = [[] for _ in self._place]
        for block, value in valued:
            lists[self._place[block]].append(value)
        return lists


class Placed(NamedTuple):
    """An event and its block."""

    block: Block
    hit: Hit


def placed(outcomes: Sequence[Outcome], blocks: Blocks) -> list[Placed]:
    """All events with their blocks."""
    return [
        Placed(blocks.event_blocks[outcome.exposure.world, hit.label], hit)
        for outcome in outcomes
        for hit in outcome.hits
    ]


def found_shares(
    outcomes: Sequence[Outcome], blocks: Blocks, wanted: Callable[[Hit], bool]
) -> tuple[Floats, Floats]:  # fmt: skip
    """Found events and all events by block, of those that are wanted."""
    mine = [one for one in placed(outcomes, blocks) if wanted(one.hit)]
    return blocks.sums([one.block for one in mine if one.hit.at_us is not None]), blocks.sums(
        [one.block for one in mine]
    )


def false_by_block(outcomes: Sequence[Outcome], blocks: Blocks, verdicts: tuple[Verdict, ...]) -> Floats:
    """Alarms with these verdicts by block."""
    return blocks.sums([
        (outcome.exposure.world, week_of(judged.alert.at_us), judged.alert.asset)
        for outcome in outcomes
        for judged in outcome.alarms
        if judged.verdict in verdicts
    ])  # fmt: skip


def figures(name: str, outcomes: Sequence[Outcome], blocks: Blocks, threshold: float | None = None) -> Figures:
    """All figures of one detector over many markets."""
    events = placed(outcomes, blocks)
    verdicts = [judged.verdict for outcome in outcomes for judged in outcome.alarms]
    false_alarms = verdicts.count("false") + verdicts.count("decoy")
    reliefs = [again for outcome in outcomes for again in outcome.reliefs]
    changes = [count for outcome in outcomes for count in outcome.changes]
    months = float(blocks.exposure.sum())

    def share(wanted: Callable[[Hit], bool]) -> Estimate:
        return intervals.ratio(blocks.weights, *found_shares(outcomes, blocks, wanted))

    def rate(*kinds: Verdict) -> Estimate:
        estimate = intervals.ratio(blocks.weights, false_by_block(outcomes, blocks, kinds), blocks.exposure)
        return estimate._replace(n=sum(verdict in kinds for verdict in verdicts))

    def of_severity(level: int) -> Estimate:
        return share(lambda hit: hit.label.severity == level)

    return Figures(
        name, threshold, months, len(events), len(verdicts),
        recall=share(lambda hit: True),
        severe=share(lambda hit: hit.label.severity >= SEVERE),
        by_severity={str(level): of_severity(level) for level in (1, 2, 3)},
        carried=sum(one.hit.carried for one in events),
        precision=Estimate(verdicts.count("found") / len(verdicts), n=len(verdicts)) if verdicts else Estimate(None),
        false_alarms=false_alarms,
        false=intervals.poisson_rate(false_alarms, months),
        drawn=rate("false", "decoy"),
        near_miss=rate("near_miss"),
        decoys=verdicts.count("decoy"),
        repeats=verdicts.count("repeat"),
        waves=share(lambda hit: hit.wave),
        **times(events, blocks),
        reentry=Estimate(sum(reliefs) / len(reliefs), n=len(reliefs)) if reliefs else Estimate(None),
        changes=float(np.mean(changes)) if changes else None,
    )  # fmt: skip


def times(events: Sequence[Placed], blocks: Blocks) -> dict[str, Estimate]:
    """Delays and leads of the events that were found."""

    def known(value: Callable[[Hit], float | None]) -> list[tuple[Block, float]]:
        valued = [(one.block, value(one.hit)) for one in events if one.hit.at_us is not None]
        return [(block, number) for block, number in valued if number is not None]

    def over(value: Callable[[Hit], float | None], share: float = 0.5) -> Estimate:
        return intervals.quantile(blocks.weights, blocks.lists(known(value)), share)[0]

    def early(value: Callable[[Hit], float | None]) -> Estimate:
        valued = known(value)
        ahead = blocks.sums([block for block, number in valued if number > 0])
        return intervals.ratio(blocks.weights, ahead, blocks.sums([block for block, _ in valued]))

    return {
        "delay": over(delay),
        "delay_p90": over(delay, 0.9),
        "flow_delay": over(lambda hit: _seconds(hit.label.flow_onset_us, hit.at_us)),
        "met": over(lambda hit: _seconds(hit.label.onset_us, hit.label.met_us)),
        "before_met": early(lambda hit: _seconds(hit.at_us, hit.label.met_us)),
        "to_peak": over(lambda hit: _seconds(hit.at_us, hit.label.peak_us)),
        "to_low": over(lambda hit: _seconds(hit.at_us, hit.label.extreme_us)),
        "before_peak": early(lambda hit: _seconds(hit.at_us, hit.label.peak_us)),
        "printed": over(lambda hit: hit.printed),
        "relief_printed": over(lambda hit: hit.relief_printed),
    }


def delay(hit: Hit) -> float | None:
    """Seconds from onset to alert."""
    return _seconds(hit.label.onset_us, hit.at_us)


def _seconds(from_us: int | None, until_us: int | None) -> float | None:
    return None if from_us is None or until_us is None else (until_us - from_us) / MICROS
