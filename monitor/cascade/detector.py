"""The detector: events in the order of their arrival to signals, market-wide, pure and deterministic.

An event is *placed* by its event time and *takes effect* when it arrives. Arrival is recorded data
(``receive_time_us``), so a replay sees what the live run saw. When the first event of a new second arrives, the
seconds before it close: each asset that anything happened to is judged, then the market. No clock is read here; a
caller that wants seconds to close though nothing arrives says so with :meth:`Detector.advance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, Final

import msgspec

from monitor.cascade.asset import Asset
from monitor.cascade.flow import SIDE_INDEX
from monitor.cascade.market import Market
from monitor.cascade.scope import EpisodeSummary, Scope, episode_id
from monitor.cascade.seen import Seen
from monitor.cascade.settings import DetectorSettings
from monitor.cascade.view import AssetView, DetectorView
from monitor.events import (
    MICROS,
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Signal,
    SignalCoverage,
    Trade,
    TradeBar,
    VolatilityIndex,
    WindowTotals,
)

LATE_S: Final = 2
"""Liquidations that arrive this long after their event time are late: Bybit's batches take half a second."""
FORMAT: Final = 1
"""Version of the snapshot; another one is refused, because state that is half understood decides wrongly."""
SILENT_S: Final = 5
"""A venue whose liquidation channel sent heartbeats and stopped for this long is in a gap."""


class Detector:
    """All assets and the market.

    Args:
        settings: thresholds.
    """

    def __init__(self, settings: DetectorSettings | None = None) -> None:
        self.settings = settings or DetectorSettings()
        self.assets: dict[str, Asset] = {}
        self.market = Market(self.settings)
        self.second = 0  # the current second by arrival, not closed yet
        self.liquidations = 0
        self.duplicates: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self.signals_by_phase: dict[str, int] = {"calm": 0, "building": 0, "cascade": 0, "relief": 0}
        self._awake: dict[str, Asset] = {}
        self._seen: dict[str, Seen] = {}
        self._venues: set[str] = set()  # whose liquidations were seen or could have been
        self._heartbeats: dict[str, int] = {}  # second of the last one on each venue's liquidation channel
        self._handlers: dict[type, Callable[[Any], None]] = {
            Liquidation: self._liquidation,
            Trade: self._trade,
            TradeBar: self._trade_bar,
            MarkPrice: self._mark_price,
            OpenInterest: self._open_interest,
            VolatilityIndex: self._nothing,
            Gap: self._nothing,
            Heartbeat: self._heartbeat,
        }

    # Events

    def apply(self, events: Iterable[Any]) -> list[Signal]:
        """Take events in the order of their arrival; returns the signals of the seconds that they close."""
        signals: list[Signal] = []
        handlers = self._handlers
        for event in events:
            arrived = (event.receive_time_us or event.event_time_us) // MICROS
            if arrived > self.second:
                signals += self.advance(arrived)
            handlers[type(event)](event)
        return signals

    def advance(self, second: int) -> list[Signal]:
        """Close every second before ``second`` and make it the current one."""
        signals: list[Signal] = []
        while self.second < second:
            due = self._next_due(second)
            if due >= second:
                self.second = second
                break
            self.second = due
            signals += self._close(due)
            self.second += 1
        return signals

    def _next_due(self, limit: int) -> int:
        """The next second that must be closed: this one, the minute's last, or none before ``limit``."""
        scopes = [*self._awake.values(), self.market]
        if any(scope.active for scope in scopes):
            return self.second
        if any(scope.awake for scope in scopes):
            return self.second + 59 - self.second % 60
        return limit

    def _close(self, second: int) -> list[Signal]:
        coverage = self._coverage(second)
        signals: list[Signal] = []
        market = self.market
        minute_ends = second % 60 == 59
        for asset in list(self._awake.values()):
            if not (asset.active or minute_ends):
                continue
            signals += asset.close(second, coverage)
            summary = asset.summary()
            if summary is not None:
                market.take(summary)
            if not asset.awake:
                del self._awake[asset.name]
        if market.active or (minute_ends and market.awake):
            signals += market.close(second, coverage)
        for signal in signals:
            self.signals_by_phase[signal.phase] += 1
        return signals

    def _asset(self, name: str) -> Asset:
        """The asset, made at first sight, with the current second open."""
        asset = self.assets.get(name)
        if asset is None:
            asset = self.assets[name] = Asset(name, self.settings)
        if asset.opened != self.second:
            asset.open(self.second)
            self._awake[name] = asset
        return asset

    def _liquidation(self, event: Liquidation) -> None:
        second = self.second
        venue = event.venue
        if not self._new(venue, event.id, second):
            return
        if second - event.event_time_us // MICROS > LATE_S:
            self.late[venue] = self.late.get(venue, 0) + 1
        self._venues.add(venue)
        self._asset(event.asset).liquidation(event)
        self.liquidations += 1

    def _trade(self, event: Trade) -> None:
        if self._new(event.venue, f"{event.symbol}:{event.id}", self.second):
            self._asset(event.asset).trade(event)

    def _trade_bar(self, event: TradeBar) -> None:
        self._asset(event.asset).trade_bar(event)

    def _mark_price(self, event: MarkPrice) -> None:
        self._asset(event.asset).mark_price(event)

    def _open_interest(self, event: OpenInterest) -> None:
        self._asset(event.asset).interest(event)

    def _heartbeat(self, event: Heartbeat) -> None:
        if event.channel == "liquidations":
            self._heartbeats[event.venue] = self.second
            self._venues.add(event.venue)

    def _nothing(self, event: Gap | VolatilityIndex) -> None:
        """Known, carried by the bus, and of no consequence here yet."""

    def _new(self, venue: str, key: str, second: int) -> bool:
        seen = self._seen.get(venue)
        if seen is None:
            seen = self._seen[venue] = Seen()
        if seen.add(key, second):
            return True
        self.duplicates[venue] = self.duplicates.get(venue, 0) + 1
        return False

    def _coverage(self, second: int) -> SignalCoverage:
        """What can be seen now; the share of complete feeds is filled in by scope and side."""
        silent = [venue for venue, at in self._heartbeats.items() if second - at > SILENT_S]
        return SignalCoverage(sorted(self._venues), sorted(silent), 0.0)

    # What others may read

    def episodes(self) -> list[EpisodeSummary]:
        """All episodes of all assets and the market, by start."""
        found = [episode for scope in self._scopes() for episode in scope.episodes()]
        return sorted(found, key=lambda episode: (episode.started_us, episode.asset, episode.direction))

    def _scopes(self) -> list[Scope]:
        return [*self.assets.values(), self.market]

    def view(self) -> DetectorView:
        """A copy of what a screen or a metrics endpoint shows."""
        liquidated = [sum(asset.totals[index] for asset in self.assets.values()) / MICROS for index in range(2)]
        silent = self._coverage(self.second).venues_in_gap
        return DetectorView(
            [_asset_view(scope) for scope in self._scopes()],
            dict(self.signals_by_phase), self.liquidations, (liquidated[0], liquidated[1]),
            dict(self.duplicates), dict(self.late), silent, self.second,
        )  # fmt: skip

    # Restart

    def snapshot(self) -> bytes:
        """Everything that a restart needs, as MessagePack."""
        return msgspec.msgpack.encode({
            "format": FORMAT,
            "second": self.second, "liquidations": self.liquidations,
            "duplicates": self.duplicates, "late": self.late, "signals": self.signals_by_phase,
            "heartbeats": self._heartbeats, "venues": sorted(self._venues), "awake": list(self._awake),
            "seen": {venue: seen.state() for venue, seen in self._seen.items()},
            "assets": {name: asset.state() for name, asset in self.assets.items()},
            "market": self.market.state(),
        })  # fmt: skip

    @classmethod
    def restore(cls, snapshot: bytes, settings: DetectorSettings | None = None) -> Detector:
        """The detector that :meth:`snapshot` described. Raises ``ValueError`` where it is none or of another format."""
        try:
            state = msgspec.msgpack.decode(snapshot)
            found = state["format"]
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise ValueError("not a snapshot of the detector") from error
        if found != FORMAT:
            raise ValueError(f"snapshot of format {found}, but this version reads {FORMAT}")
        self = cls(settings)
        self.second, self.liquidations = state["second"], state["liquidations"]
        self.duplicates, self.late = state["duplicates"], state["late"]
        self.signals_by_phase, self._heartbeats = state["signals"], state["heartbeats"]
        self._venues = set(state["venues"])
        self._seen = {venue: Seen.restore(kept) for venue, kept in state["seen"].items()}
        for name, kept in state["assets"].items():
            asset = self.assets[name] = Asset(name, self.settings)
            asset.load(kept)
        self._awake = {name: self.assets[name] for name in state["awake"]}
        self.market.load(state["market"])
        return self


def _asset_view(scope: Scope) -> AssetView:
    side, phase, scored = scope.leading()
    price, flow = scope.price, scope.flow
    episode = scope.phases[SIDE_INDEX[side]].state.episode
    table = flow.table
    interest = funding = coverage = None
    if isinstance(scope, Asset):
        interest = sum(usd for _, usd, _ in scope.open_interest.values()) if scope.open_interest else None
        funding = median(scope.funding.values()) if scope.funding else None
        coverage = scope.coverage_ratio()
    return AssetView(
        scope.name, phase, side, scored.points, scope.severity(side), price.last,
        {window: price.move(window, side) for window in price.windows},
        {window: _totals(amounts, counts) for window, (amounts, counts) in table.items()},
        interest, funding, coverage, scored.evidence,
        episode_id(scope.name, side, episode.started) if episode else None,
        flow.by_source("5m"),
    )  # fmt: skip


def _totals(amounts: tuple[int, int], counts: tuple[int, int]) -> WindowTotals:
    return WindowTotals(amounts[0] / MICROS, amounts[1] / MICROS, sum(counts))
