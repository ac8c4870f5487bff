"""Draws a chart of each episode: price, forced orders, score and phases over time. Needs the extra ``plots``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from monitor.lab.evaluate.markets.tape import AssetSide, Tape, grid
from monitor.lab.evaluate.trials.alerts import ScoredSecond, SignalLog
from monitor.lab.evaluate.trials.outcomes import Outcome
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, SIDES
from monitor.model.signals import Phase

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE_US: Final = 30 * 60 * MICROS
"""Time that a chart shows before an episode, microseconds."""
AFTER_US: Final = 90 * 60 * MICROS
"""Time that a chart shows after an episode, microseconds."""
COLOURS: Final[Mapping[Phase, str]] = {"building": "#f2c94c", "cascade": "#eb5757", "relief": "#6fcf97"}
BAR_S: Final = 60
MISSING_MATPLOTLIB: Final = "--plots needs matplotlib: pip install 'liquidation-cascade-monitor[plots]'"


def require_matplotlib() -> None:
    """Import matplotlib for files. Raises ``OperatorError`` with the remedy where it is missing."""
    try:
        import matplotlib
    except ImportError:
        raise OperatorError(MISSING_MATPLOTLIB) from None
    matplotlib.use("Agg")


def draw_all(folder: Path, world: str, outcome: Outcome, tapes: Mapping[str, Tape], log: SignalLog) -> int:
    """Draw every event and every false alarm, and return the number of files written."""
    require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    spans = [
        (
            AssetSide(result.label.asset, result.label.direction),
            result.label.onset_us,
            result.label.end_us,
            "missed" if result.at_us is None else f"severity {result.label.severity}",
        )
        for result in outcome.results
    ] + [
        (AssetSide(one.alert.asset, one.alert.direction), one.alert.at_us, one.alert.at_us, one.verdict)
        for one in outcome.alarms
        if one.verdict in ("false", "decoy")
    ]
    drawn = 0
    for key, start_us, end_us, words in spans:
        if key.asset in tapes:
            title = f"{world}: {key.asset} {key.direction}, {words}"
            at = datetime.fromtimestamp(start_us // MICROS, UTC)
            name = f"{world}-{key.asset}-{key.direction}-{at:%Y%m%dT%H%M%S}.png".replace(" ", "-")
            trace = (log.trace or {}).get(key, [])
            draw(folder / name, title, tapes[key.asset], trace, start_us - BEFORE_US, end_us + AFTER_US)
            drawn += 1
    return drawn


def draw(path: Path, title: str, tape: Tape, trace: Sequence[ScoredSecond], start_us: int, end_us: int) -> None:
    """Draw the time from ``start_us`` to ``end_us`` of one asset into a PNG file."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(3, 1, sharex=True, figsize=(11, 7), layout="constrained", height_ratios=(2, 1, 1))
    at = grid(start_us, end_us, 5)
    prices = tape.price_at(at)
    axes[0].plot(_days(at), prices, color="black", linewidth=0.8)
    axes[0].set_title(title, loc="left")
    axes[0].set_ylabel("price, USD")
    _bars(axes[1], tape, start_us, end_us)
    inside = [one for one in trace if start_us <= one.at_us <= end_us]
    axes[2].plot(_days(np.array([one.at_us for one in inside], np.int64)), [one.score for one in inside], "k.", ms=1)
    axes[2].set_ylim(0, 100)
    axes[2].set_ylabel("score")
    axes[2].set_xlabel("UTC")
    for first_us, last_us, phase in phase_spans(inside):
        for one in axes:
            one.axvspan(*_days(np.array([first_us, last_us])), color=COLOURS[phase], alpha=0.25, linewidth=0)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def _bars(axes: Axes, tape: Tape, start_us: int, end_us: int) -> None:
    """Draw forced USD a minute, longs below the line and shorts above it."""
    edges = np.arange(start_us, end_us + BAR_S * MICROS, BAR_S * MICROS)
    for side, sign, colour in ((SIDES[0], -1, "#b03a2e"), (SIDES[1], 1, "#1e8449")):
        times, micros = tape.forced(side)
        sums, _ = np.histogram(times, edges, weights=micros / MICROS)
        axes.bar(_days(edges[:-1]), sign * sums, width=BAR_S / 86_400, align="edge", color=colour, label=f"{side}s")
    axes.axhline(0, color="grey", linewidth=0.5)
    axes.set_ylabel("forced USD a minute")
    axes.legend(loc="upper right", fontsize="small")


def _days(us: Any) -> Any:
    """Return microseconds as the dates that matplotlib draws."""
    return us.astype("datetime64[us]")


def phase_spans(trace: Sequence[ScoredSecond]) -> list[tuple[int, int, Phase]]:
    """Return first time, last time and phase of each stretch in one phase other than calm."""
    spans: list[tuple[int, int, Phase]] = []
    for one in trace:
        if one.phase == "calm":
            continue
        if spans and spans[-1][2] == one.phase and one.at_us - spans[-1][1] <= 60 * MICROS:
            spans[-1] = (spans[-1][0], one.at_us, one.phase)
        else:
            spans.append((one.at_us, one.at_us + MICROS, one.phase))
    return spans
