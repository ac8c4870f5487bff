"""One market through the detector, the baselines and the robustness matrix: the work of one process of the pool."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from monitor.cascade.detector import Detector
from monitor.cascade.settings import DetectorSettings
from monitor.evaluate.markets.cases import Case, Source
from monitor.evaluate.markets.exposure import Exposure, exposure_of
from monitor.evaluate.markets.labels import labels_of
from monitor.evaluate.markets.tape import Forced, Tape, Tapes
from monitor.evaluate.markets.truth import MARKET, Label, market_labels
from monitor.evaluate.markets.truth import in_order as labels_in_order
from monitor.evaluate.trials import matrix, robustness
from monitor.evaluate.trials.alerts import Alert, Key, Trigger, Watch, in_order, of_assets
from monitor.evaluate.trials.baselines import RULES, Rule, crossings
from monitor.evaluate.trials.outcomes import Outcome, Point, judge, points
from monitor.events import SIDES

Matrix = Literal["losses", "events", "whole"]


class Plan(msgspec.Struct, frozen=True):
    """What to do with a market.

    Attributes:
        settings: of the detector, as JSON, because it goes to other processes.
        trigger: the phase that counts as an alert.
        rules: whether to run the baselines.
        matrix: how far to run the robustness matrix: around events with ``losses`` alone or with all its rows, or also
            whole runs without what may be missing.
        plots: where to put a chart of each episode, if anywhere.
    """

    settings: str
    trigger: Trigger = "cascade"
    rules: bool = True
    matrix: Matrix | None = None
    plots: Path | None = None


class Examined(msgspec.Struct, frozen=True):
    """Everything that the tables need of one market.

    Attributes:
        exposure: of the assets that have labels or prices.
        events: number of events read.
        labels: of all assets.
        detector: its outcome on assets; ``market`` that of its market-wide alerts.
        points: scores against events by calendar week, for the calibration.
        true_course: shares printed are of all forced orders, not of those that feeds showed.
        rules: by baseline one outcome for each of its thresholds.
        degraded: the detector's outcome by row of the matrix around events; ``whole`` by row of whole runs.
        placebos: the outcomes of alerts that must fail.
        chance: recall of the alerts at random times, mean.
        after_spikes: alerts within five minutes of a mad price that are not there without it; None without that row.
        seconds: CPU seconds by kind of work.
    """

    exposure: Exposure
    events: int
    labels: list[Label]
    detector: Outcome
    market: Outcome
    points: dict[str, list[Point]]
    true_course: bool
    rules: dict[str, list[Outcome]]
    degraded: dict[str, Outcome]
    whole: dict[str, Outcome]
    placebos: dict[str, Outcome]
    chance: float | None
    after_spikes: int | None
    plotted: int
    seconds: dict[str, float]


class Stopwatch:
    """CPU seconds by kind of work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add what the block takes."""
        started = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started


def examine(source: Source, plan: Plan) -> Examined:
    """Load a market and do with it what the plan says."""
    clock = Stopwatch()
    with clock("market"):
        case = source.load()
    with clock("tapes and labels"):
        tapes, labels, exposure, forced = _prepare(case)
    settings = DetectorSettings.model_validate_json(plan.settings)
    watch = Watch(trace=plan.plots is not None)
    around = robustness.stretches(case.events, labels) if plan.matrix else []
    with clock("detector"):
        stops = robustness.run_with_stops(Detector(settings), case.events, watch, around)
    alerts = of_assets(watch.alerts(plan.trigger), market=False)
    outcome = judge(alerts, labels, exposure, forced, watch)
    with clock("baselines"):
        rules = {rule.name: _rule(rule, tapes, labels, exposure, forced) for rule in RULES} if plan.rules else {}
    degraded: dict[str, Outcome] = {}
    whole: dict[str, Outcome] = {}
    after: int | None = None
    known = (labels, exposure, forced)
    if plan.matrix:
        with clock("matrix"):
            choose = matrix.loss_degradations if plan.matrix == "losses" else matrix.all_degradations
            rows = choose(matrix.find_feeds(case.events))
            degraded, after = robustness.degraded(case.events, stops, rows, settings, plan.trigger, *known)
    if plan.matrix == "whole":
        with clock("whole runs"):
            whole = robustness.whole(case.events, settings, plan.trigger, *known)
    placebos, chance = robustness.placebos(alerts, labels, exposure)
    plotted = 0
    if plan.plots is not None:
        from monitor.evaluate.plots import draw_all

        with clock("plots"):
            plotted = draw_all(plan.plots, case.name, outcome, tapes, watch)
    return Examined(
        exposure, len(case.events), labels, outcome, _market(watch, plan, labels, exposure),
        points(watch, labels, exposure), case.forced is not None, rules, degraded, whole, placebos, chance, after,
        plotted, clock.seconds,
    )  # fmt: skip


class Prepared(NamedTuple):
    """What a market is judged by: tapes, labels, what is watched (assets with prices), and forced orders."""

    tapes: dict[str, Tape]
    labels: list[Label]
    exposure: Exposure
    forced: dict[Key, Forced]


def _prepare(case: Case) -> Prepared:
    """Labels are made by the rule where there is no truth, and forced orders are those that feeds showed."""
    collected = Tapes()
    collected.add(case.events)
    tapes = {tape.asset: tape for tape in collected}
    labels = case.labels
    if labels is None:
        labels = labels_in_order(label for tape in tapes.values() for label in labels_of(tape))
    priced = {asset for asset, tape in tapes.items() if len(tape.prices)} | {label.asset for label in labels}
    exposure = exposure_of(case.name, sorted(priced), collected, tapes)
    shown = {Key(asset, side): tape.forced(side) for asset, tape in tapes.items() for side in SIDES}
    return Prepared(tapes, labels, exposure, shown if case.forced is None else case.forced)


def _market(watch: Watch, plan: Plan, labels: Sequence[Label], exposure: Exposure) -> Outcome:
    """The market-wide alerts held against market-wide episodes; other labels excuse one as a near-miss does."""
    wide = market_labels(labels, len(exposure.assets))
    excuses = [
        msgspec.structs.replace(label, asset=MARKET, type="near_miss", severity=0)
        for label in labels
        if label.sought or label.type == "near_miss"
    ]
    alerts = of_assets(watch.alerts(plan.trigger), market=True)
    watched = msgspec.structs.replace(exposure, watched={MARKET: exposure.market})
    return judge(alerts, [*wide, *excuses], watched, {}, None)


def _rule(
    rule: Rule, tapes: Mapping[str, Tape], labels: Sequence[Label], exposure: Exposure, forced: Mapping[Key, Forced]
) -> list[Outcome]:  # fmt: skip
    """A baseline's outcome at each of its thresholds."""
    by_threshold: list[list[Alert]] = [[] for _ in rule.thresholds]
    for asset in exposure.assets:
        if asset not in tapes:
            continue
        for side, courses in rule.courses(tapes[asset], exposure.first_us, exposure.last_us).items():
            for course in courses:
                for place, threshold in enumerate(rule.thresholds):
                    by_threshold[place] += crossings(course, asset, side, threshold)
    return [judge(in_order(alerts), labels, exposure, forced) for alerts in by_threshold]
