"""Draws the README's picture: one cascade of a simulated market as the detector called it. Needs the extra ``plots``.

``make pictures`` writes ``docs/pictures/cascade.svg``. The market is seeded, and the file holds neither a date nor
random names, so the same code and the same matplotlib give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.detect.detector import Detector
from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate.plots import COLOURS, require_matplotlib
from monitor.lab.simulate.world.market import AssetMarket
from monitor.lab.simulate.world.settings import WorldSettings
from monitor.lab.simulate.world.world import World
from monitor.model.events import (
    MICROS,
    SIDES,
    AnyEvent,
    Liquidation,
    Side,
)
from monitor.model.signals import Phase, Signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

PICTURE: Final = Path("docs/pictures/cascade.svg")
PICTURED: Final = WorldSettings(seed=440, days=2.0, assets=1, shocks=8.0, decoys=False, outages=False)
"""A market of BTC alone, on whose second day longs are liquidated within five minutes."""
SIDE: Final[Side] = "long"
BEFORE_S: Final = 300
"""Time drawn before the call, seconds."""
AFTER_S: Final = 2_400
"""Time drawn after the call, seconds."""
BAR_S: Final = 20
"""Width of the bars of forced orders, seconds."""
NARROW_MIN: Final = 3.0
"""Shortest phase with room for its name, minutes."""
INK: Final = "#1b1f24"
MUTED: Final = "#7d838c"
FORCED: Final = "#b03a2e"
STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "cascade",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
"""``svg.hashsalt`` fixes the ids within the file; text as paths needs no font where it is shown."""


class Course(NamedTuple):
    """Course of the market in the seconds that are drawn, one value a second; the call is at second ``called``.

    Attributes:
        called: number of seconds before the call.
        price: USD.
        outside: the price without forced orders, from the same noise, USD.
        forced: liquidated longs, all of them, USD.
        shown: the same as far as the feeds showed it.
    """

    called: int
    price: Floats
    outside: Floats
    forced: Floats
    shown: Floats


class Episode(NamedTuple):
    """One cascade: its course, its signals, and for each of these the minutes since the call."""

    course: Course
    signals: list[Signal]
    minutes: list[float]

    @property
    def call(self) -> Signal:
        """The signal that opened the cascade."""
        return next(one for one in self.signals if one.phase == "cascade")


def simulate(settings: WorldSettings) -> Episode:
    """Simulate a market, run the detector over it, and return its cascade with the deepest fall.

    Raises:
        ValueError: the market has no cascade of longs in its first asset.
    """
    world = World(settings)
    market = world.markets[0]
    detector = Detector(DetectorSettings())
    signals: list[Signal] = []
    shown = np.zeros(len(market.log_price))
    for chunk in world.events():
        signals += detector.apply(chunk)
        _add_shown(shown, chunk, market.spec.name, settings.start_us)
    ours = [one for one in signals if one.asset == market.spec.name and one.direction == SIDE]
    deepest = min((one for one in ours if one.phase == "cascade"), key=lambda one: one.drawdown_pct, default=None)
    if deepest is None:
        raise ValueError(f"seed {settings.seed}: the market has no cascade of {SIDE}s in {market.spec.name}")
    episode_signals = [one for one in ours if one.episode_id == deepest.episode_id]
    called_us = next(one.event_time_us for one in episode_signals if one.phase == "cascade")
    course = _course(market, shown, (called_us - settings.start_us) // MICROS)
    return Episode(
        course, episode_signals, [(one.event_time_us - called_us) / (60 * MICROS) for one in episode_signals]
    )


def _add_shown(shown: Floats, events: Iterable[AnyEvent], asset: str, start_us: int) -> None:
    """Add what the feeds showed of an asset's side, second by second."""
    for event in events:
        if type(event) is Liquidation and event.asset == asset and event.side == SIDE:
            shown[(event.event_time_us - start_us) // MICROS] += event.notional_usd


def _course(market: AssetMarket, shown: Floats, called: int) -> Course:
    """Return the seconds around the second of the call."""
    drawn = slice(max(0, called - BEFORE_S), called + AFTER_S)
    forced = np.zeros(len(market.log_price))
    seconds, micros = market.forced_usd(SIDES.index(SIDE))
    forced[seconds] = micros / MICROS
    price = market.log_price[drawn].astype(np.float64)
    outside = price - market.endogenous[drawn].astype(np.float64)
    usd = market.spec.price
    return Course(called - drawn.start, usd * np.exp(price), usd * np.exp(outside), forced[drawn], shown[drawn])


def phase_spans(minutes: Sequence[float], signals: Sequence[Signal]) -> list[tuple[float, float, Phase]]:
    """Return begin, end and phase of each stretch in one phase other than calm, in minutes."""
    spans: list[tuple[float, float, Phase]] = []
    for at, signal in zip(minutes, signals, strict=True):
        if spans:
            spans[-1] = (spans[-1][0], at, spans[-1][2])
        if not spans or spans[-1][2] != signal.phase:
            spans.append((at, at, signal.phase))
    return [span for span in spans if span[2] != "calm"]


def draw(episode: Episode) -> Figure:
    """Return the picture: price, forced orders and score over the same time, with the phases behind them."""
    from matplotlib import pyplot

    figure, (top, middle, bottom) = pyplot.subplots(3, 1, sharex=True, figsize=(10, 6.2), height_ratios=(2.2, 1.3, 1.1))
    # Fixed margins: the solver of a constrained layout differs in the last digits from run to run.
    figure.subplots_adjust(left=0.105, right=0.985, top=0.985, bottom=0.08, hspace=0.1)
    figure.align_ylabels()
    _draw_price(top, episode.course, episode.call)
    _draw_forced(middle, episode.course)
    bottom.plot(episode.minutes, [one.risk_score for one in episode.signals], color=INK, linewidth=1.0)
    bottom.set(ylim=(0, 103), ylabel="risk score", xlabel="minutes since the call")
    for begin, end, phase in phase_spans(episode.minutes, episode.signals):
        for axes in (top, middle, bottom):
            axes.axvspan(begin, end, color=COLOURS[phase], alpha=0.22, linewidth=0)
        if end - begin >= NARROW_MIN:
            place = top.get_xaxis_transform()
            top.text(begin + 0.5, 0.98, phase, transform=place, va="top", color=INK, weight="bold", clip_on=True)
    for axes in (top, middle, bottom):
        axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    top.set_xlim(-episode.course.called / 60, (len(episode.course.price) - episode.course.called) / 60)
    return figure


def _draw_price(axes: Axes, course: Course, call: Signal) -> None:
    """Draw the price with and without forced orders, and where the cascade was called."""
    minutes = (np.arange(len(course.price)) - course.called) / 60
    axes.plot(minutes, course.outside, color=MUTED, linewidth=1.1, linestyle=(0, (3, 2)))
    axes.plot(minutes, course.price, color=INK, linewidth=1.4)
    axes.set_ylabel(f"{call.asset}, USD")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.margins(y=0.12)
    last = len(minutes) * 9 // 10
    for values, words, colour, above in (
        (course.outside, "price without forced orders", MUTED, 12),
        (course.price, "price", INK, -16),
    ):
        axes.annotate(
            words,
            (minutes[last], values[last]),
            xytext=(0, above),
            textcoords="offset points",
            ha="center",
            color=colour,
        )
    share = course.forced[: course.called].sum() / course.forced.sum()
    axes.annotate(
        f"called here: {call.drawdown_pct:+.1f} %,\n{share:.0%} of the forced orders done",
        (0, course.price[course.called]),
        xytext=(48, 0),
        textcoords="offset points",
        va="center",
        color=INK,
        arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 0.8},
    )


def _draw_forced(axes: Axes, course: Course) -> None:
    """Draw the forced orders by time, all of them and what the feeds showed."""
    offset = course.called % BAR_S
    count = (len(course.forced) - offset) // BAR_S
    minutes = (offset + np.arange(count) * BAR_S - course.called) / 60
    for values, alpha, words in ((course.forced, 0.35, "all forced orders"), (course.shown, 1.0, "shown by the feeds")):
        sums = values[offset : offset + count * BAR_S].reshape(count, BAR_S).sum(axis=1) / 1e6
        axes.bar(minutes, sums, width=BAR_S / 60, align="edge", color=FORCED, alpha=alpha, linewidth=0, label=words)
    axes.set_ylabel(f"liquidated longs,\nmillion USD in {BAR_S} s")
    axes.legend(loc="upper right", frameon=False, fontsize="small")


def write(episode: Episode, path: Path) -> None:
    """Draw a cascade into an SVG file; its folder is made."""
    require_matplotlib()
    import matplotlib
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure = draw(episode)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


if __name__ == "__main__":
    write(simulate(PICTURED), PICTURE)
