"""Builds the report of an evaluation: the rows of all tables, for people and for programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate.examine import Examination
from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.measures import thresholds
from monitor.lab.evaluate.measures.calibration import Calibration, calibrate, isotonic
from monitor.lab.evaluate.measures.compare import Comparison, MatrixRow, compare, matrix_row
from monitor.lab.evaluate.measures.figures import SEVERE, Blocks, Figures, compute_figures
from monitor.lab.evaluate.measures.folds import clip_outcomes, make_folds
from monitor.lab.evaluate.measures.groups import Group, group_by_kind
from monitor.lab.evaluate.trials.alerts import Alert
from monitor.lab.evaluate.trials.baselines import ALWAYS_OFF, PRICE_ONLY, RULES
from monitor.lab.evaluate.trials.matching import is_near
from monitor.lab.evaluate.trials.outcomes import Outcome
from monitor.lab.evaluate.trials.robustness import UNDEGRADED, judge_foreign_alerts
from monitor.model.events import MARKET

DETECTOR: Final = "this detector"
NOTHING_LOST: Final = "nothing lost"
FOREIGN_ALERTS: Final = "another market's alerts"
ALL_ORDERS: Final = "all forced orders"
SHOWN_ORDERS: Final = "the forced orders that feeds showed"


class Miss(msgspec.Struct, frozen=True):
    """An event that was not found; ``carried`` if an older alert was active at its onset."""

    world: str
    label: Label
    carried: bool


class FalseAlarm(msgspec.Struct, frozen=True):
    """A clean false alarm; ``beside`` names the other assets with an event of the same side at that time."""

    world: str
    asset: str
    direction: str
    at_us: int
    decoy: bool
    beside: list[str]


class WorldRow(msgspec.Struct, frozen=True):
    """One market or recording; ``months`` sums the watched months of its assets."""

    world: str
    first_us: int
    last_us: int
    assets: int
    months: float
    events: int
    found: int
    severe: int
    severe_found: int
    false: int
    near_miss: int
    market_events: int
    market_found: int
    market_false: int
    untested: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="evaluation"):
    """An evaluation; the same input gives the same bytes."""

    config_hash: str
    configurations_tried: int
    trigger: str
    train: list[str]
    test: list[str]
    worlds: list[WorldRow]
    figures: list[Figures]
    comparisons: list[Comparison]
    walk_forward: list[Figures]
    market: Figures
    calibration: Calibration | None
    groups: list[Group]
    printed_of: str
    matrix: list[MatrixRow]
    matrix_whole: list[MatrixRow]
    placebos: list[MatrixRow]
    chance: float | None
    after_spikes: int | None
    missed: list[Miss]
    false_alarms: list[FalseAlarm]
    notes: list[str]


def config_hash(settings: DetectorSettings) -> str:
    """Return twelve hexadecimal digits that change with any of the detector's settings."""
    canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


Choice = Callable[[Mapping[float, Sequence[Outcome]]], float]


def threshold_choices(name: str) -> dict[str, Choice]:
    """Return the ways in which a baseline's threshold is set on the train markets, by name: one a budget."""
    if name == ALWAYS_OFF:
        return {name: min}
    return {
        f"{name}, up to {budget:.0f} a month": partial(thresholds.lowest_within_budget, budget=budget)
        for budget in thresholds.BUDGETS
    }


def outcomes_by_threshold(name: str, markets: Sequence[Examination]) -> dict[float, list[Outcome]]:
    """Return a baseline's outcomes in all markets by threshold."""
    rule = next(rule for rule in RULES if rule.name == name)
    return {
        threshold: [market.rules[name][place] for market in markets] for place, threshold in enumerate(rule.thresholds)
    }


class Chosen(NamedTuple):
    """A baseline's threshold, and its outcomes on the test markets at it."""

    threshold: float
    outcomes: list[Outcome]


class Results:
    """Combines the outcomes of train and test markets into the rows of the report."""

    def __init__(self, train: Sequence[Examination], test: Sequence[Examination]) -> None:
        self.train, self.test = train, test
        self.outcomes = [market.detector for market in test]
        self.blocks = blocks_of(self.outcomes)

    def baselines(self) -> dict[str, Chosen]:
        """Return the baselines' outcomes on the test markets at the thresholds that the train markets gave.

        The price's threshold is also set on the test markets themselves, to the detector's recall. That favours the
        baseline; what is left to compare at equal recall are false alarms and leads.
        """
        chosen = {}
        for rule in RULES:
            tested = outcomes_by_threshold(rule.name, self.test)
            if rule.name == PRICE_ONLY and (reached := thresholds.recall_of(self.outcomes)) is not None:
                threshold = thresholds.highest_reaching(tested, reached)
                chosen[f"{PRICE_ONLY}, equal recall"] = Chosen(threshold, tested[threshold])
            for words, choose in threshold_choices(rule.name).items() if self.train else ():
                threshold = choose(outcomes_by_threshold(rule.name, self.train))
                chosen[words] = Chosen(threshold, tested[threshold])
        return chosen

    def comparisons(self, baselines: Mapping[str, Chosen]) -> list[Comparison]:
        """Return the detector's comparison with each baseline that raised any alert."""
        return [
            compare(name, self.outcomes, chosen.outcomes, self.blocks)
            for name, chosen in baselines.items()
            if any(outcome.alarms for outcome in chosen.outcomes)
        ]

    def walk_forward(self) -> list[Figures]:
        """Return figures over folds of three months, with thresholds set on what came before each fold."""
        tested: dict[str, list[Outcome]] = {}
        for fold in make_folds([market.exposure for market in self.test]):
            past = clip_outcomes(self.outcomes, 0, fold.train_until_us)
            now = clip_outcomes(self.outcomes, fold.test_from_us, fold.test_until_us)
            if not now or not any(outcome.results for outcome in past):
                continue
            tested.setdefault(DETECTOR, []).extend(now)
            for rule in RULES:
                table = outcomes_by_threshold(rule.name, self.test)
                trained = {at: clip_outcomes(outcomes, 0, fold.train_until_us) for at, outcomes in table.items()}
                for words, choose in threshold_choices(rule.name).items():
                    mine = clip_outcomes(table[choose(trained)], fold.test_from_us, fold.test_until_us)
                    tested.setdefault(words, []).extend(mine)
        if not tested:
            return []
        blocks = blocks_of(tested[DETECTOR])
        return [compute_figures(name, outcomes, blocks) for name, outcomes in tested.items()]

    def calibration(self) -> Calibration | None:
        """Return the probabilities made from the train markets' scores, checked on the test markets."""
        steps = isotonic([point for market in self.train for week in market.points.values() for point in week])
        return calibrate(steps, [week for market in self.test for week in market.points.values()])

    def matrix(self) -> list[MatrixRow]:
        """Return a row for each degradation near events, beside the same time without it."""
        plain = [one.degraded.get(UNDEGRADED, one.detector) for one in self.test]
        names = dict.fromkeys(name for market in self.test for name in market.degraded)
        degraded = {
            name: [one.degraded.get(name, was) for one, was in zip(self.test, plain, strict=True)] for name in names
        }
        return [matrix_row(name, plain, outcomes, self.blocks) for name, outcomes in degraded.items()]

    def whole_runs(self) -> list[MatrixRow]:
        """Return a row for each whole run with a loss, beside the whole run without any."""
        names = dict.fromkeys(name for market in self.test for name in market.whole)
        degraded = {name: [one.whole.get(name, one.detector) for one in self.test] for name in names}
        if names:
            degraded = {NOTHING_LOST: self.outcomes, **degraded}
        return [matrix_row(name, self.outcomes, outcomes, self.blocks) for name, outcomes in degraded.items()]

    def placebos(self) -> list[MatrixRow]:
        """Return a row for each placebo, beside the detector's own alerts."""
        names = dict.fromkeys(name for market in self.test for name in market.placebos)
        degraded = {name: [one.placebos.get(name, one.detector) for one in self.test] for name in names}
        if len(self.test) > 1:
            degraded[FOREIGN_ALERTS] = self._foreign_alerts()
        return [matrix_row(name, self.outcomes, outcomes, self.blocks) for name, outcomes in degraded.items()]

    def _foreign_alerts(self) -> list[Outcome]:
        """Return each market's outcome with the alerts of the market before it."""
        before = (self.test[-1], *self.test[:-1])
        return [
            judge_foreign_alerts(
                [one.alert for one in other.detector.alarms], other.exposure, market.labels, market.exposure
            )
            for other, market in zip(before, self.test, strict=True)
        ]


def blocks_of(outcomes: Sequence[Outcome]) -> Blocks:
    """Return the bootstrap blocks of the markets of these outcomes."""
    return Blocks([one.exposure for one in outcomes], [[result.label for result in one.results] for one in outcomes])


def world_row(market: Examination) -> WorldRow:
    """Return the row of one market."""
    results, alarms = market.detector.results, market.detector.alarms
    severe = [result for result in results if result.label.severity >= SEVERE]
    wide = market.market
    return WorldRow(
        world=market.exposure.world,
        first_us=market.exposure.first_us,
        last_us=market.exposure.last_us,
        assets=len(market.exposure.assets),
        months=market.exposure.months,
        events=len(results),
        found=sum(result.at_us is not None for result in results),
        severe=len(severe),
        severe_found=sum(result.at_us is not None for result in severe),
        false=sum(one.verdict in ("false", "decoy") for one in alarms),
        near_miss=sum(one.verdict == "near_miss" for one in alarms),
        market_events=len(wide.results),
        market_found=sum(result.at_us is not None for result in wide.results),
        market_false=sum(one.verdict == "false" for one in wide.alarms),
        untested=tuple(sorted({leg for label in market.labels if label.is_sought for leg in label.untested})),
    )


def misses(markets: Sequence[Examination]) -> list[Miss]:
    """Return every event that was not found."""
    return [
        Miss(market.exposure.world, result.label, result.carried)
        for market in markets
        for result in market.detector.results
        if result.at_us is None
    ]


def false_alarms(markets: Sequence[Examination]) -> list[FalseAlarm]:
    """Return every clean false alarm."""
    return [
        FalseAlarm(
            world=market.exposure.world,
            asset=one.alert.asset,
            direction=one.alert.direction,
            at_us=one.alert.at_us,
            decoy=one.verdict == "decoy",
            beside=_other_assets_in_event(one.alert, market.labels),
        )
        for market in markets
        for one in market.detector.alarms
        if one.verdict in ("false", "decoy")
    ]


def _other_assets_in_event(alert: Alert, labels: Sequence[Label]) -> list[str]:
    """Return the other assets with an event of the alert's side within the matching window."""
    return sorted(
        {
            label.asset
            for label in labels
            if label.is_sought
            and label.asset not in (alert.asset, MARKET)
            and label.direction == alert.direction
            and is_near(alert.at_us, label)
        }
    )


def build_report(
    train: Sequence[Examination], test: Sequence[Examination], settings: DetectorSettings, *, trigger: str, tried: int
) -> Report:
    """Return the report of the examined markets."""
    results = Results(train, test)
    baselines = results.baselines()
    chances = [market.chance for market in test if market.chance is not None]
    spikes = [market.after_spikes for market in test if market.after_spikes is not None]
    return Report(
        config_hash=config_hash(settings),
        configurations_tried=tried,
        trigger=trigger,
        train=[market.exposure.world for market in train],
        test=[market.exposure.world for market in test],
        worlds=[world_row(market) for market in test],
        figures=[
            compute_figures(DETECTOR, results.outcomes, results.blocks),
            *(compute_figures(name, one.outcomes, results.blocks, one.threshold) for name, one in baselines.items()),
        ],
        comparisons=results.comparisons(baselines),
        walk_forward=results.walk_forward() if all(market.rules for market in test) else [],
        market=compute_figures(MARKET, [one.market for one in test], blocks_of([one.market for one in test])),
        calibration=results.calibration(),
        groups=group_by_kind(results.outcomes, results.blocks),
        printed_of=ALL_ORDERS if all(market.true_course for market in test) else SHOWN_ORDERS,
        matrix=results.matrix(),
        matrix_whole=results.whole_runs(),
        placebos=results.placebos(),
        chance=sum(chances) / len(chances) if chances else None,
        after_spikes=sum(spikes) if spikes else None,
        missed=misses(test),
        false_alarms=false_alarms(test),
        notes=_notes(test),
    )


def _notes(markets: Sequence[Examination]) -> list[str]:
    untested = sorted(
        {
            (market.exposure.world, ", ".join(label.untested))
            for market in markets
            for label in market.labels
            if label.is_sought and label.untested
        }
    )
    return [f"{world}: the {legs} leg of the labels could not be tested everywhere" for world, legs in untested]
