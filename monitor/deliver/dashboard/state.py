"""Makes the dashboard's state as JSON on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from monitor import __version__
from monitor.collect.fleet_stats import FleetStats
from monitor.deliver.dashboard.history import History, Point
from monitor.detect.overview import Monitored, asset_view
from monitor.model.events import MICROS
from monitor.model.signals import Evidence, WindowTotals
from monitor.model.summary import EpisodeSummary
from monitor.model.visibility import MonitorVisibility, VisibilityState

EPISODES: Final = 20
"""Number of episodes listed, newest first."""


class Series(msgspec.Struct):
    """Holds the columns of an asset's chart; times in seconds since the epoch, amounts in USD a second."""

    second: list[int]
    risk: list[float]
    price: list[float | None]
    long: list[float]
    short: list[float]


class AssetState(msgspec.Struct):
    """Holds one asset's state; windows in USD, ``coverage`` is the share from complete feeds or None."""

    asset: str
    phase: str
    direction: str
    risk: float
    price: float | None
    windows: dict[str, WindowTotals]
    coverage: float | None
    episode_id: str | None
    evidence: Sequence[Evidence]
    series: Series


class FeedState(msgspec.Struct):
    """Holds one exchange's state."""

    venue: str
    connected: int
    connections: int
    last_message_us: int
    events: int
    liquidations: int
    rejects: int
    gap_s: float


class GapState(msgspec.Struct):
    """Holds the shares (0 to 1) of the windows that an exchange's gaps, if not backfilled, hide."""

    venue: str
    windows: dict[str, float]


class VisibilityView(msgspec.Struct):
    """Holds how much of the exchanges can be seen; ``since_us`` is 0 while enough can be."""

    state: VisibilityState
    connected: int
    expected: int
    since_us: int


class DashboardState(msgspec.Struct):
    """Holds everything that the dashboard shows."""

    version: str
    now_us: int
    second: int
    assets: list[AssetState]
    episodes: list[EpisodeSummary]
    feeds: list[FeedState]
    gaps: list[GapState]
    visibility: VisibilityView | None


class Source:
    """Makes the dashboard's state.

    Args:
        monitored: returns the assets and, if this process decides it, the market.
        second: returns the last second that was decided.
        fleets: returns the counts of the exchanges that this process reads.
        clock: the machine's time in microseconds.
        gap_ratios: returns, by venue and window, the share that is missing because of gaps.
        visibility: returns how much of the exchanges can be seen; None if this process does not know.
    """

    def __init__(
        self,
        monitored: Callable[[], Iterable[Monitored]],
        second: Callable[[], int],
        fleets: Callable[[], Sequence[FleetStats]],
        clock: Callable[[], int],
        *,
        gap_ratios: Callable[[], Mapping[tuple[str, str], float]] = dict,
        visibility: Callable[[], MonitorVisibility | None] = lambda: None,
    ) -> None:
        self._monitored = monitored
        self._second = second
        self._fleets = fleets
        self._clock = clock
        self._gap_ratios = gap_ratios
        self._visibility = visibility
        self._history = History()

    def sample(self) -> None:
        """Add the charts' next point; called once a second on the event loop."""
        seen = self._visibility()
        is_blind = seen is not None and seen.is_blind
        self._history.sample(self._clock() // MICROS, self._monitored(), is_blind=is_blind)

    def state(self) -> bytes:
        """Return the dashboard's state as JSON; called on the event loop."""
        monitored = list(self._monitored())
        shown = self._history.chosen(monitored)
        episodes = sorted(
            (episode for each in monitored for episode in each.scope.episodes()),
            key=lambda episode: -episode.started_us,
        )
        state = DashboardState(
            __version__,
            self._clock(),
            self._second(),
            [asset_state(each, self._history.points(each.name)) for each in shown],
            episodes[:EPISODES],
            [feed_state(fleet, self._clock()) for fleet in self._fleets()],
            gap_states(self._gap_ratios()),
            visibility_view(self._visibility()),
        )
        return msgspec.json.encode(state)


def asset_state(monitored: Monitored, points: Sequence[Point]) -> AssetState:
    """Return one asset with its chart."""
    view = asset_view(monitored)
    columns = [list(column) for column in zip(*points, strict=True)] or [[], [], [], [], []]
    second, risk, price, long, short = columns
    return AssetState(
        asset=view.asset,
        phase=view.phase,
        direction=view.direction,
        risk=round(view.risk_score, 1),
        price=view.price,
        windows=dict(view.windows),
        coverage=view.coverage_ratio,
        episode_id=view.episode_id,
        evidence=view.evidence,
        series=Series(second, [round(value, 1) for value in risk], price, long, short),
    )


def gap_states(ratios: Mapping[tuple[str, str], float]) -> list[GapState]:
    """Return the exchanges with gaps and the share that is missing from each window."""
    found: dict[str, dict[str, float]] = {}
    for (venue, window), share in ratios.items():
        if share:
            found.setdefault(venue, {})[window] = share
    return [GapState(venue, windows) for venue, windows in found.items()]


def visibility_view(seen: MonitorVisibility | None) -> VisibilityView | None:
    """Return how much can be seen, as JSON has it."""
    return None if seen is None else VisibilityView(seen.state, seen.connected, seen.expected, seen.since_us)


def feed_state(fleet: FleetStats, now_us: int) -> FeedState:
    """Return one exchange's feed; the gap of an exchange that is lost now counts up to ``now_us``."""
    total = fleet.total
    is_lost = not total.connected and total.last_message_us
    open_us = max(0, now_us - total.last_message_us) if is_lost else 0
    return FeedState(
        venue=fleet.venue,
        connected=sum(each.connected for each in fleet.connections),
        connections=len(fleet.connections),
        last_message_us=total.last_message_us,
        events=sum(total.events.values()),
        liquidations=total.events["liquidation"],
        rejects=sum(total.rejects.values()),
        gap_s=(total.gap_us + open_us) / MICROS,
    )
