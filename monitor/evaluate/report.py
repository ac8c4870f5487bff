"""What an evaluation comes to: the tables' rows, for people and for programs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from monitor.cascade.settings import DetectorSettings
from monitor.evaluate.examine import Examined
from monitor.evaluate.markets.truth import MARKET, Label
from monitor.evaluate.measures import thresholds
from monitor.evaluate.measures.calibration import Calibration, calibrate, isotonic
from monitor.evaluate.measures.compare import Comparison, MatrixRow, compare, matrix_row
from monitor.evaluate.measures.figures import SEVERE, Blocks, Figures, figures
from monitor.evaluate.measures.folds import clip, folds
from monitor.evaluate.measures.groups import Group, groups
from monitor.evaluate.trials.alerts import Alert
from monitor.evaluate.trials.baselines import OFF, PRICE, RULES
from monitor.evaluate.trials.matching import within
from monitor.evaluate.trials.outcomes import Outcome
from monitor.evaluate.trials.robustness import PLAIN, exchanged

DETECTOR: Final = "this detector"
NOTHING_LOST: Final = "nothing lost"
ANOTHER: Final = "another market's alerts"
ALL_ORDERS: Final = "all forced orders"
SHOWN_ORDERS: Final = "the forced orders that feeds showed"


class Miss(msgspec.Struct, frozen=True):
    """An event that was not found."""

    world: str
    label: Label
    carried: bool


class FalseAlarm(msgspec.Struct, frozen=True):
    """A clean false alarm; ``beside`` are the other assets of which the same side was in an event at that time."""

    world: str
    asset: str
    direction: str
    at_us: int
    decoy: bool
    beside: list[str]


class WorldRow(msgspec.Struct, frozen=True):
    """One market or recording; ``months`` are those in which its assets were watched, summed over them."""

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
    """Twelve hexadecimal digits that change with any of the detector's settings."""
    canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


Choice = Callable[[Mapping[float, Sequence[Outcome]]], float]


def choices(name: str) -> dict[str, Choice]:
    """The ways a baseline's threshold is set on the train markets: to either budget."""
    if name == OFF:
        return {name: min}
    return {
        f"{name}, up to {budget:.0f} a month": partial(thresholds.within_budget, budget=budget)
        for budget in thresholds.BUDGETS
    }


def by_threshold(name: str, markets: Sequence[Examined]) -> dict[float, list[Outcome]]:
    """A baseline's outcomes in all markets by its thresholds."""
    rule = next(rule for rule in RULES if rule.name == name)
    return {
        threshold: [market.rules[name][place] for market in markets] for place, threshold in enumerate(rule.thresholds)
    }


class Chosen(NamedTuple):
    """A baseline's threshold, and its outcomes on the test markets there."""

    threshold: float
    outcomes: list[Outcome]


class Tables:
    """Puts the outcomes of train and test markets together."""

    def __init__(self, train: Sequence[Examined], test: Sequence[Examined]) -> None:
        self.train, self.test = train, test
        self.outcomes = [market.detector for market in test]
        self.blocks = blocks_of(self.outcomes)

    def baselines(self) -> dict[str, Chosen]:
        """The baselines' outcomes on the test markets at the thresholds that the train markets chose.

        The price's is also set to the detector's recall, on the test markets themselves: that helps it, not the
        detector, and leaves their false alarms and their leads to compare.
        """
        chosen = {}
        for rule in RULES:
            tested = by_threshold(rule.name, self.test)
            if rule.name == PRICE and (reached := thresholds.recall(self.outcomes)) is not None:
                threshold = thresholds.at_recall(tested, reached)
                chosen[f"{PRICE}, equal recall"] = Chosen(threshold, tested[threshold])
            for words, choose in choices(rule.name).items() if self.train else ():
                threshold = choose(by_threshold(rule.name, self.train))
                chosen[words] = Chosen(threshold, tested[threshold])
        return chosen

    def comparisons(self, baselines: Mapping[str, Chosen]) -> list[Comparison]:
        """The detector against each baseline that says anything at all."""
        return [
            compare(name, self.outcomes, chosen.outcomes, self.blocks)
            for name, chosen in baselines.items()
            if any(outcome.alarms for outcome in chosen.outcomes)
        ]

    def walk_forward(self) -> list[Figures]:
        """The detector and the baselines on folds of three months, their thresholds set on what came before."""
        tested: dict[str, list[Outcome]] = {}
        for fold in folds([market.exposure for market in self.test]):
            past = clip(self.outcomes, 0, fold.train_until_us)
            now = clip(self.outcomes, fold.test_from_us, fold.test_until_us)
            if not now or not any(outcome.hits for outcome in past):
                continue
            tested.setdefault(DETECTOR, []).extend(now)
            for rule in RULES:
                table = by_threshold(rule.name, self.test)
                trained = {at: clip(outcomes, 0, fold.train_until_us) for at, outcomes in table.items()}
                for words, choose in choices(rule.name).items():
                    mine = clip(table[choose(trained)], fold.test_from_us, fold.test_until_us)
                    tested.setdefault(words, []).extend(mine)
        if not tested:
            return []
        blocks = blocks_of(tested[DETECTOR])
        return [figures(name, outcomes, blocks) for name, outcomes in tested.items()]

    def calibration(self) -> Calibration | None:
        """Probabilities made of the train markets' scores, held against the test markets."""
        steps = isotonic([point for market in self.train for week in market.points.values() for point in week])
        return calibrate(steps, [week for market in self.test for week in market.points.values()])

    def matrix(self) -> list[MatrixRow]:
        """A row for each degradation that any test market has, beside the same stretches of time undegraded."""
        plain = [one.degraded.get(PLAIN, one.detector) for one in self.test]
        names = dict.fromkeys(name for market in self.test for name in market.degraded)
        bent = {
            name: [one.degraded.get(name, was) for one, was in zip(self.test, plain, strict=True)] for name in names
        }
        return [matrix_row(name, plain, outcomes, self.blocks) for name, outcomes in bent.items()]

    def whole(self) -> list[MatrixRow]:
        """A row for each whole run without something, beside the detector's whole run with everything."""
        names = dict.fromkeys(name for market in self.test for name in market.whole)
        bent = {name: [one.whole.get(name, one.detector) for one in self.test] for name in names}
        if names:
            bent = {NOTHING_LOST: self.outcomes, **bent}
        return [matrix_row(name, self.outcomes, outcomes, self.blocks) for name, outcomes in bent.items()]

    def placebos(self) -> list[MatrixRow]:
        """A row for each placebo, beside the detector's own alerts."""
        names = dict.fromkeys(name for market in self.test for name in market.placebos)
        bent = {name: [one.placebos.get(name, one.detector) for one in self.test] for name in names}
        if len(self.test) > 1:
            bent[ANOTHER] = self._exchanged()
        return [matrix_row(name, self.outcomes, outcomes, self.blocks) for name, outcomes in bent.items()]

    def _exchanged(self) -> list[Outcome]:
        """Each market's events with the alerts of the one before."""
        before = (self.test[-1], *self.test[:-1])
        return [
            exchanged([one.alert for one in other.detector.alarms], other.exposure, market.labels, market.exposure)
            for other, market in zip(before, self.test, strict=True)
        ]


def blocks_of(outcomes: Sequence[Outcome]) -> Blocks:
    """The blocks of the markets of these outcomes."""
    return Blocks([one.exposure for one in outcomes], [[hit.label for hit in one.hits] for one in outcomes])


def world_row(market: Examined) -> WorldRow:
    """One market's line."""
    hits, alarms = market.detector.hits, market.detector.alarms
    severe = [hit for hit in hits if hit.label.severity >= SEVERE]
    wide = market.market
    return WorldRow(
        market.exposure.world, market.exposure.first_us, market.exposure.last_us, len(market.exposure.assets),
        market.exposure.months, len(hits), sum(hit.at_us is not None for hit in hits),
        len(severe), sum(hit.at_us is not None for hit in severe),
        sum(one.verdict in ("false", "decoy") for one in alarms), sum(one.verdict == "near_miss" for one in alarms),
        len(wide.hits), sum(hit.at_us is not None for hit in wide.hits),
        sum(one.verdict == "false" for one in wide.alarms),
        tuple(sorted({leg for label in market.labels if label.sought for leg in label.untested})),
    )  # fmt: skip


def misses(markets: Sequence[Examined]) -> list[Miss]:
    """Every event that was not found."""
    return [
        Miss(market.exposure.world, hit.label, hit.carried)
        for market in markets
        for hit in market.detector.hits
        if hit.at_us is None
    ]


def false_alarms(markets: Sequence[Examined]) -> list[FalseAlarm]:
    """Every clean false alarm."""
    return [
        FalseAlarm(
            market.exposure.world, one.alert.asset, one.alert.direction, one.alert.at_us, one.verdict == "decoy",
            _beside(one.alert, market.labels),
        )
        for market in markets
        for one in market.detector.alarms
        if one.verdict in ("false", "decoy")
    ]  # fmt: skip


def _beside(alert: Alert, labels: Sequence[Label]) -> list[str]:
    """Other assets with an event of an alert's side that it would have found, had it been one of theirs."""
    return sorted({
        label.asset
        for label in labels
        if label.sought and label.asset not in (alert.asset, MARKET) and label.direction == alert.direction
        and within(alert.at_us, label)
    })  # fmt: skip


def build(
    train: Sequence[Examined], test: Sequence[Examined], settings: DetectorSettings, *, trigger: str, tried: int
) -> Report:
    """All tables."""
    tables = Tables(train, test)
    baselines = tables.baselines()
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
            figures(DETECTOR, tables.outcomes, tables.blocks),
            *(figures(name, one.outcomes, tables.blocks, one.threshold) for name, one in baselines.items()),
        ],
        comparisons=tables.comparisons(baselines),
        walk_forward=tables.walk_forward() if all(market.rules for market in test) else [],
        market=figures(MARKET, [one.market for one in test], blocks_of([one.market for one in test])),
        calibration=tables.calibration(),
        groups=groups(tables.outcomes, tables.blocks),
        printed_of=ALL_ORDERS if all(market.true_course for market in test) else SHOWN_ORDERS,
        matrix=tables.matrix(),
        matrix_whole=tables.whole(),
        placebos=tables.placebos(),
        chance=sum(chances) / len(chances) if chances else None,
        after_spikes=sum(spikes) if spikes else None,
        missed=misses(test),
        false_alarms=false_alarms(test),
        notes=_notes(test),
    )  # fmt: skip


def _notes(markets: Sequence[Examined]) -> list[str]:
    untested = sorted({
        (market.exposure.world, ", ".join(label.untested))
        for market in markets
        for label in market.labels
        if label.sought and label.untested
    })  # fmt: skip
    return [f"{world}: the {legs} leg of the labels could not be tested everywhere" for world, legs in untested]
