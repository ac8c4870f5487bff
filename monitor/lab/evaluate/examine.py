"""Examines one market: runs the detector, the baselines and the robustness matrix in one process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate.markets.cases import Case, Source
from monitor.lab.evaluate.markets.exposure import Exposure, exposure_of
from monitor.lab.evaluate.markets.labels import label_episodes
from monitor.lab.evaluate.markets.tape import AssetSide, Forced, Tape, Tapes
from monitor.lab.evaluate.markets.truth import Label, market_labels, sort_labels
from monitor.lab.evaluate.trials import matrix, robustness
from monitor.lab.evaluate.trials.alerts import Alert, SignalLog, Trigger, select_alerts, sort_alerts
from monitor.lab.evaluate.trials.baselines import RULES, Rule, alerts_above
from monitor.lab.evaluate.trials.outcomes import Outcome, Reference, ScoreCount, count_scores, judge
from monitor.model.events import MARKET, SIDES

Matrix = Literal["losses", "events", "whole"]


class Plan(msgspec.Struct, frozen=True):
    """The work to be done on a market.

    Attributes:
        settings: settings of the detector as JSON, because they are sent to other processes.
        trigger: phase that counts as an alert.
        rules: True to run the baselines.
        matrix: how much of the robustness matrix to run: ``losses`` runs the losses near events, ``events`` runs all
            its rows near events, ``whole`` also runs whole markets with each loss.
        plots: folder for a chart of each episode; None draws none.
    """

    settings: str
    trigger: Trigger = "cascade"
    rules: bool = True
    matrix: Matrix | None = None
    plots: Path | None = None


class Examination(msgspec.Struct, frozen=True):
    """The results of one market, from which all tables are made.

    Attributes:
        exposure: what was watched of the assets that have labels or prices.
        events: number of events read.
        labels: labels of all assets.
        detector: outcome of the detector's alerts on assets.
        market: outcome of the detector's market-wide alerts.
        points: scores with their number of minutes by calendar week, for the calibration.
        true_course: True if shares of printed flow are of all forced orders, False if of those that feeds showed.
        rules: by baseline, one outcome for each of its thresholds.
        degraded: the detector's outcome near events, by row of the matrix.
        whole: the detector's outcome in whole runs, by row of the matrix.
        placebos: outcomes of alerts that carry no information, which must fail.
        chance: mean recall of the alerts at random times; None where the market is too short.
        after_spikes: alerts within five minutes of a bad price that are absent without it; None without that row.
        plotted: number of charts drawn.
        seconds: CPU seconds by kind of work.
    """

    exposure: Exposure
    events: int
    labels: list[Label]
    detector: Outcome
    market: Outcome
    points: dict[str, list[ScoreCount]]
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
    """Measures CPU seconds by kind of work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add the CPU seconds of the block to those of ``name``."""
        started = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started


def examine(source: Source, plan: Plan) -> Examination:
    """Load a market, carry out the plan on it, and return the results."""
    clock = Stopwatch()
    with clock("market"):
        case = source.load()
    with clock("tapes and labels"):
        tapes, labels, exposure, forced = _prepare(case)
    settings = DetectorSettings.model_validate_json(plan.settings)
    log = SignalLog(trace=plan.plots is not None)
    spans = robustness.episode_spans(case.events, labels) if plan.matrix else []
    with clock("detector"):
        checkpoints = robustness.run_with_checkpoints(Detector(settings), case.events, log, spans)
    alerts = select_alerts(log.alerts(plan.trigger), market=False)
    reference = Reference(labels, exposure, forced)
    outcome = judge(alerts, *reference, log)
    with clock("baselines"):
        rules = {rule.name: _judge_baseline(rule, tapes, reference) for rule in RULES} if plan.rules else {}
    degraded: dict[str, Outcome] = {}
    whole: dict[str, Outcome] = {}
    after: int | None = None
    if plan.matrix:
        with clock("matrix"):
            choose = matrix.loss_degradations if plan.matrix == "losses" else matrix.all_degradations
            rows = choose(matrix.find_feeds(case.events))
            degraded, after = robustness.run_degraded(case.events, checkpoints, rows, settings, plan.trigger, reference)
    if plan.matrix == "whole":
        with clock("whole runs"):
            whole = robustness.run_whole(case.events, settings, plan.trigger, reference)
    placebos, chance = robustness.placebo_outcomes(alerts, labels, exposure)
    plotted = 0
    if plan.plots is not None:
        from monitor.lab.evaluate.plots import draw_all

        with clock("plots"):
            plotted = draw_all(plan.plots, case.name, outcome, tapes, log)
    return Examination(
        exposure=exposure,
        events=len(case.events),
        labels=labels,
        detector=outcome,
        market=_judge_market(log, plan, labels, exposure),
        points=count_scores(log, labels, exposure),
        true_course=case.forced is not None,
        rules=rules,
        degraded=degraded,
        whole=whole,
        placebos=placebos,
        chance=chance,
        after_spikes=after,
        plotted=plotted,
        seconds=clock.seconds,
    )


class Prepared(NamedTuple):
    """The data by which a market is judged: its tapes, labels, exposure and forced orders."""

    tapes: dict[str, Tape]
    labels: list[Label]
    exposure: Exposure
    forced: dict[AssetSide, Forced]


def _prepare(case: Case) -> Prepared:
    """Return the tapes, labels, exposure and forced orders of a market.

    Where the truth is not known, a rule makes the labels and the forced orders are those that feeds showed.
    """
    collected = Tapes()
    collected.add(case.events)
    tapes = {tape.asset: tape for tape in collected}
    labels = case.labels
    if labels is None:
        labels = sort_labels(label for tape in tapes.values() for label in label_episodes(tape))
    priced = {asset for asset, tape in tapes.items() if len(tape.prices)} | {label.asset for label in labels}
    exposure = exposure_of(case.name, sorted(priced), collected, tapes)
    shown = {AssetSide(asset, side): tape.forced(side) for asset, tape in tapes.items() for side in SIDES}
    return Prepared(tapes, labels, exposure, shown if case.forced is None else case.forced)


def _judge_market(log: SignalLog, plan: Plan, labels: Sequence[Label], exposure: Exposure) -> Outcome:
    """Match the market-wide alerts with market-wide episodes and return the outcome.

    An alert during an episode or near-miss of single assets counts as a near-miss, not as a false alarm.
    """
    wide = market_labels(labels, len(exposure.assets))
    excuses = [
        msgspec.structs.replace(label, asset=MARKET, type="near_miss", severity=0)
        for label in labels
        if label.is_sought or label.type == "near_miss"
    ]
    alerts = select_alerts(log.alerts(plan.trigger), market=True)
    watched = msgspec.structs.replace(exposure, watched={MARKET: exposure.market})
    return judge(alerts, [*wide, *excuses], watched, {}, None)


def _judge_baseline(rule: Rule, tapes: Mapping[str, Tape], reference: Reference) -> list[Outcome]:
    """Return a baseline's outcome at each of its thresholds."""
    exposure = reference.exposure
    by_threshold: list[list[Alert]] = [[] for _ in rule.thresholds]
    for asset in exposure.assets:
        if asset not in tapes:
            continue
        for side, stretches in rule.series(tapes[asset], exposure.first_us, exposure.last_us).items():
            for series in stretches:
                for place, threshold in enumerate(rule.thresholds):
                    by_threshold[place] += alerts_above(series, asset, side, threshold)
    return [judge(sort_alerts(alerts), *reference) for alerts in by_threshold]
