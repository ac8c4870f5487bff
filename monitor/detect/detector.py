"""The detector: events in the order of their arrival to signals, market-wide, pure and deterministic.

An event is *placed* by its event time and *takes effect* when it arrives. Arrival is recorded data
(``receive_time_us``), so a replay sees what the live run saw; an arrival that runs ahead is not believed
(:mod:`monitor.model.watermark`). When the first event of a new second arrives, the seconds before it close::

    event  → watermark → ingest (feeds, applier) → asset
    second → roster: each asset that is due (flow, price → decide → context) → market → signals

No clock is read here; a caller closes seconds in which nothing arrives with :meth:`Detector.advance`. A fault of one
asset stops nothing but that asset (:mod:`monitor.detect.quarantine`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, Final

import msgspec

from monitor.detect.asset import Asset
from monitor.detect.asset_summary import AssetSummary
from monitor.detect.detector_state import FORMAT, CommonSnapshot, Version, check_format
from monitor.detect.ingest.applier import Applier, Handler
from monitor.detect.ingest.feeds import FeedLog, feeds_at
from monitor.detect.market import Market
from monitor.detect.market_step import close_market, market_at
from monitor.detect.overview import Monitored, ahead_view, asset_view, market_view
from monitor.detect.quarantine import Quarantine, QuarantinedError
from monitor.detect.roster import DAMAGE, OnDamaged, Roster
from monitor.detect.scope_state import Wake
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import DetectorView
from monitor.model.events import (
    MICROS,
    Event,
    Gap,
    Heartbeat,
)
from monitor.model.signals import Signal
from monitor.model.steps import finished
from monitor.model.summary import EpisodeSummary
from monitor.model.validation import UNREADABLE
from monitor.model.watermark import Watermark, WatermarkState

_ENCODER: Final = msgspec.msgpack.Encoder()


class Detector:
    """Assets, and the market that they make.

    Args:
        settings: thresholds.
        with_market: whether the market is judged here; without, :meth:`take_summaries` returns what is needed to judge
            it elsewhere.

    Attributes:
        second: the current second by arrival, not closed yet.
        watermark: what of arrival times is believed.
        steps_back: how often the current second stepped back.
        roster: the assets.
        applier: what applies events to them.
        feeds: heartbeats and gaps of the exchanges.
        market: the market; None where it is judged elsewhere.
        signals_by_phase: number of signals.
    """

    def __init__(self, settings: DetectorSettings | None = None, *, with_market: bool = True) -> None:
        self.settings = settings or DetectorSettings()
        self.second = 0
        self.watermark = new_watermark(self.settings)
        self.steps_back = 0
        self.roster = Roster(self.settings)
        self.applier = Applier(self.roster)
        self.feeds = FeedLog()
        self.market = Market(self.settings) if with_market else None
        self.signals_by_phase: dict[str, int] = {"calm": 0, "building": 0, "cascade": 0, "relief": 0}
        self._handlers: dict[type, Handler] = {
            **self.applier.handlers,
            Gap: self.feeds.gap,
            Heartbeat: self._heartbeat,
        }

    # Events

    def apply(self, events: Iterable[Any]) -> list[Signal]:
        """Take events in the order of their arrival and return the signals of the seconds that they close."""
        signals: list[Signal] = []
        handlers, watermark, current = self._handlers, self.watermark, self.second
        watermark.advance_to(current * MICROS)
        ends_us = (current + 1) * MICROS
        for event in events:
            if watermark.low_us <= (event.receive_time_us or event.event_time_us) < ends_us:
                try:
                    handlers[type(event)](event, current)
                except Exception as error:  # noqa: BLE001  # whatever it is, it is this asset's alone
                    self._not_applied(event, error)
                continue
            for at_us, placed in watermark.take(event):
                second = at_us // MICROS
                if second > self.second:
                    signals += self.advance(second)
                elif second < self.second:
                    signals += self.step_back(second)
                self.place((placed,))
            current = self.second
            ends_us = (current + 1) * MICROS
        return signals

    def place(self, events: Iterable[Any]) -> None:
        """Take events into the current second, whatever their arrival: the caller has decided on it."""
        handlers, second = self._handlers, self.second
        for event in events:
            try:
                handlers[type(event)](event, second)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is this asset's alone
                self._not_applied(event, error)

    def _heartbeat(self, event: Heartbeat, second: int) -> None:
        self.feeds.heartbeat(event, second)
        self.watermark.note_active(event.venue)

    def _not_applied(self, event: Event, error: Exception) -> None:
        if isinstance(error, QuarantinedError):
            self.quarantine.passed_over += 1
        else:
            self.roster.set_aside(event.asset, self.second, error, event)

    # Seconds

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
        """Return the next second that must be closed: this one, the minute's last, or ``limit`` for none before it."""
        if self.quarantine.ends:
            return self.second
        wakes = self.roster.wakes()
        if self.market is not None:
            wakes.append(self.market.scope.state.wake)
        if Wake.AWAKE in wakes:
            return self.second
        if Wake.UNTIL_MINUTE in wakes:
            return self.second + 59 - self.second % 60
        return limit

    def _close(self, second: int) -> list[Signal]:
        """Close a second of the assets, then of the market, which receives their summaries."""
        feeds = self.feeds.at(second)
        signals = self.roster.close(second, feeds)
        if self.market is not None:
            self.market, found = close_market(self.market, self.quarantine, second, self.take_summaries(), feeds)
            signals += found
        signals += self.quarantine.take_ended()
        self._count(signals)
        return signals

    def _count(self, signals: Iterable[Signal]) -> None:
        for signal in signals:
            self.signals_by_phase[signal.phase] += 1

    def step_back(self, second: int) -> list[Signal]:
        """Make an earlier second the current one, because it was passed by a clock that was wrong.

        Whatever was judged after it is dropped: an asset that was opened later begins anew, and so does the market.

        Returns:
            The signals that end the episodes of what was dropped.
        """
        self.second = second
        signals = self.roster.step_back(second)
        if self.market is not None:
            self.market, found = market_at(self.market, second)
            signals += found
        self.feeds.step_back(second)
        self.steps_back += 1
        self._count(signals)
        return signals

    # What others may read

    @property
    def assets(self) -> dict[str, Asset]:
        """Return the assets by name."""
        return self.roster.assets

    @property
    def quarantine(self) -> Quarantine:
        """Return the names in quarantine."""
        return self.roster.quarantine

    def take_summaries(self) -> list[AssetSummary]:
        """Return the assets' reports to the market since the last call."""
        return self.roster.take_summaries()

    def episodes(self) -> list[EpisodeSummary]:
        """Return all episodes of all assets and of the market, by start."""
        found = [episode for each in self.monitored() for episode in each.scope.episodes()]
        found += [episode for finished in self.quarantine.finished.values() for episode in finished]
        return sorted(found, key=lambda episode: (episode.started_us, episode.asset, episode.direction))

    def monitored(self) -> list[Monitored]:
        """Return the assets, and the market if it is judged here."""
        return [*self.assets.values(), *([self.market] if self.market is not None else [])]

    def view(self) -> DetectorView:
        """Return a copy of what a screen or a metrics endpoint shows."""
        applier = self.applier
        totals = [asset.scope.state.totals for asset in self.assets.values()]
        windows = [asset.scope.flow.windows for asset in self.assets.values()]
        return DetectorView(
            assets=[asset_view(each) for each in self.monitored()],
            signals_by_phase=dict(self.signals_by_phase),
            liquidations=applier.liquidations,
            liquidated_usd=(sum(each.long for each in totals) / MICROS, sum(each.short for each in totals) / MICROS),
            duplicates_by_venue=dict(applier.duplicates),
            late_by_venue=dict(applier.late),
            venues_in_gap=feeds_at(self.feeds.heartbeats, self.second).silent,
            second=self.second,
            market=None if self.market is None else market_view(self.market, self.second),
            quarantined=self.quarantine.active(self.second),
            faults=self.quarantine.faults,
            passed_over=self.quarantine.passed_over,
            gap_ratios=self.feeds.holes.ratios(self.second),
            ahead=ahead_view([self.watermark], self.steps_back),
            excluded=applier.excluded.view(),
            outdated=sum(each.dropped_events for each in windows),
            outdated_usd=sum(each.dropped_amount for each in windows) / MICROS,
        )

    # Restart

    def snapshot(self) -> bytes:
        """Return everything that a restart needs, as MessagePack."""
        return _ENCODER.encode([self.common_state(), {name: self.asset_state(name) for name in self.assets}])

    @classmethod
    def restore(
        cls, snapshot: bytes, settings: DetectorSettings | None = None, *, with_market: bool = True
    ) -> Detector:
        """Return the detector that :meth:`snapshot` described.

        Raises:
            ValueError: it is no snapshot, a damaged one, or one of another format (:class:`OtherFormatError`).
        """
        try:
            common, assets = msgspec.msgpack.decode(snapshot, type=tuple[bytes, dict[str, bytes]])
        except UNREADABLE as error:
            raise ValueError("not a snapshot of the detector") from error
        return cls.assemble(common, assets, settings, with_market=with_market)

    def asset_state(self, name: str) -> bytes:
        """Return one asset's part of a snapshot; only those of assets in ``roster.changed`` differ from the last."""
        return _ENCODER.encode(self.assets[name].snapshot())

    def common_state(self) -> bytes:
        """Return the part of a snapshot that belongs to no asset."""
        return _ENCODER.encode(
            CommonSnapshot(
                format=FORMAT,
                second=self.second,
                signals_by_phase=self.signals_by_phase,
                roster=self.roster.state(),
                applier=self.applier.state(),
                feeds=self.feeds.state(),
                market=self.market.snapshot() if self.market is not None else None,
                watermark=self.watermark.state(),
            )
        )

    @classmethod
    def assemble(
        cls,
        common: bytes,
        assets: Mapping[str, bytes],
        settings: DetectorSettings | None = None,
        *,
        with_market: bool = True,
    ) -> Detector:
        """Return the detector of the parts of a snapshot; raises as :meth:`restore` does."""
        return finished(cls.assembling(common, assets, settings, with_market=with_market))

    @classmethod
    def assembling(
        cls,
        common: bytes,
        assets: Mapping[str, bytes],
        settings: DetectorSettings | None = None,
        *,
        with_market: bool = True,
        on_damaged: OnDamaged | None = None,
    ) -> Generator[None, None, Detector]:
        """Assemble the parts of a snapshot, one asset a step, so that an event loop can turn in between.

        Args:
            common: the part that belongs to no asset.
            assets: the parts of the assets.
            settings: thresholds.
            with_market: whether this detector judges the market too.
            on_damaged: called with an asset whose part cannot be read; without it, that raises.

        Raises:
            ValueError: as :meth:`restore` does.
        """
        try:
            version = msgspec.msgpack.decode(common, type=Version).format
        except UNREADABLE as error:
            raise ValueError("not a snapshot of the detector") from error
        check_format(version)
        self = cls(settings, with_market=with_market)
        try:
            state = msgspec.msgpack.decode(common, type=CommonSnapshot)
            self._load(state)
            yield from self.roster.loading(state.roster, assets, on_damaged)
        except DAMAGE as error:
            raise ValueError(f"the detector's snapshot is damaged: {error!r}") from error
        return self

    def _load(self, common: CommonSnapshot) -> None:
        self.second, self.signals_by_phase = common.second, common.signals_by_phase
        self.watermark = new_watermark(self.settings, common.watermark)
        self.feeds.load(common.feeds)
        self.applier.load(common.applier)
        if self.market is not None and common.market is not None:
            self.market.restore(common.market)


def new_watermark(settings: DetectorSettings, state: WatermarkState | None = None) -> Watermark:
    """Return a watermark with the settings' tolerance that continues from a saved state."""
    arrival = settings.arrival
    return Watermark(arrival.tolerance_seconds * MICROS, arrival.confirm_seconds * MICROS, state)
