"""Compares two runs over the same markets, block by block."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from monitor.lab.evaluate.markets.tape import Floats
from monitor.lab.evaluate.measures import intervals
from monitor.lab.evaluate.measures.figures import SEVERE, Blocks, alarms_by_block, delay, found_and_sought, place_events
from monitor.lab.evaluate.measures.intervals import Estimate
from monitor.lab.evaluate.trials.outcomes import EventResult, Outcome
from monitor.model.events import MICROS


class Comparison(msgspec.Struct, frozen=True):
    """The detector minus a baseline, paired: recall, clean false alarms a month and asset, median lead to peak.

    ``fewer`` is the share of the baseline's false alarms that the detector avoids.
    """

    baseline: str
    recall: Estimate
    false: Estimate
    fewer: Estimate
    lead: Estimate


class MatrixRow(msgspec.Struct, frozen=True):
    """One degradation: what is found and what it costs compared with the plain run, paired; recall in points of 100.

    ``false`` is the rate of clean false alarms with the exact Poisson interval, its ``n`` their number.
    """

    name: str
    recall: Estimate
    severe: Estimate
    lost: Estimate
    lost_severe: Estimate
    false: Estimate
    delay: float | None


def compare(name: str, mine: Sequence[Outcome], others: Sequence[Outcome], blocks: Blocks) -> Comparison:
    """Return the paired differences of the detector and a baseline."""
    recalls = [found_and_sought(outcomes, blocks, lambda _result: True) for outcomes in (mine, others)]
    wrong = [alarms_by_block(outcomes, blocks, ("false", "decoy")) for outcomes in (mine, others)]
    rates = [intervals.ratios(blocks.weights, one, blocks.exposure) for one in wrong]
    drawn_recalls = [intervals.ratios(blocks.weights, *shares) for shares in recalls]
    leads = [_lead_to_peak(outcomes, blocks) for outcomes in (mine, others)]
    months = float(blocks.exposure.sum())
    totals = [float(one.sum()) for one in wrong]
    drawn_others = rates[1].copy()
    drawn_others[drawn_others == 0] = float("nan")
    return Comparison(
        name,
        intervals.difference(drawn_recalls[0], drawn_recalls[1], _difference(*(_share(*shares) for shares in recalls))),
        intervals.difference(rates[0], rates[1], (totals[0] - totals[1]) / months if months else None),
        intervals.difference(
            1.0 - rates[0] / drawn_others, rates[0] * 0.0, 1.0 - totals[0] / totals[1] if totals[1] else None
        ),
        intervals.difference(leads[0][1], leads[1][1], _difference(leads[0][0].value, leads[1][0].value)),
    )


def _share(over: Floats, under: Floats) -> float | None:
    return float(over.sum() / under.sum()) if under.sum() else None


def _difference(mine: float | None, other: float | None) -> float | None:
    return None if mine is None or other is None else mine - other


def _lead_to_peak(outcomes: Sequence[Outcome], blocks: Blocks) -> tuple[Estimate, Floats]:
    """Return the median of the seconds from alert to the worst minute, and its value in every draw."""
    valued = [
        (one.block, (one.result.label.peak_us - one.result.at_us) / MICROS)
        for one in place_events(outcomes, blocks)
        if one.result.at_us is not None
    ]
    return intervals.quantile(blocks.weights, blocks.lists(valued))


def matrix_row(name: str, plain: Sequence[Outcome], degraded: Sequence[Outcome], blocks: Blocks) -> MatrixRow:
    """Return what a degradation costs compared with the plain run."""

    def severe(result: EventResult) -> bool:
        return result.label.severity >= SEVERE

    shares = {
        (which, kind): found_and_sought(outcomes, blocks, is_selected)
        for which, outcomes in (("plain", plain), ("bent", degraded))
        for kind, is_selected in (("all", lambda _result: True), ("severe", severe))
    }
    wrong = sum(one.verdict in ("false", "decoy") for outcome in degraded for one in outcome.alarms)
    delays = [seconds for outcome in degraded for result in outcome.results if (seconds := delay(result)) is not None]

    def lost(kind: str) -> Estimate:
        drawn = [100 * intervals.ratios(blocks.weights, *shares[which, kind]) for which in ("plain", "bent")]
        values = [_share(*shares[which, kind]) for which in ("plain", "bent")]
        value = _difference(*values)
        return intervals.difference(drawn[0], drawn[1], None if value is None else 100 * value)

    return MatrixRow(
        name=name,
        recall=intervals.ratio(blocks.weights, *shares["bent", "all"]),
        severe=intervals.ratio(blocks.weights, *shares["bent", "severe"]),
        lost=lost("all"),
        lost_severe=lost("severe"),
        false=intervals.poisson_rate(wrong, float(blocks.exposure.sum())),
        delay=float(np.median(delays)) if delays else None,
    )
