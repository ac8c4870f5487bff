"""The detector: events in the order of their arrival to signals, market-wide, pure and deterministic.

An event is *placed* by its event time and *takes effect* when it arrives. Arrival is recorded data
(``receive_time_us``), so a replay sees what the live run saw; an arrival that runs ahead is not believed
(:mod:`monitor.model.watermark`). When the first event of a new second arrives, the
seconds before it close: each asset that anything happened to is judged, then the market. No clock is read here; a
caller closes seconds in which nothing arrives with :meth:`Detector.advance`.

A fault of one asset stops nothing but that asset (:mod:`monitor.detect.quarantine`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from monitor.detect.asset import Asset
from monitor.detect.asset_state import AssetSnapshot
from monitor.detect.asset_summary import AssetSummary, silent_summary
from monitor.detect.decide.signal import EpisodeSummary
from monitor.detect.decide.visibility import Feeds
from monitor.detect.detector_state import FORMAT, CommonSnapshot, Version, check_format
from monitor.detect.gaps import Holes, recent
from monitor.detect.market import Market
from monitor.detect.overview import Monitored, ahead_view, asset_view, market_view
from monitor.detect.plausibility import Excess, Exclusions, find_excess
from monitor.detect.quarantine import Quarantine, QuarantinedError, ended
from monitor.detect.scope_state import Wake
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import DetectorView
from monitor.model.events import (
    ALL,
    MARKET,
    MICROS,
    Event,
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Signal,
    Trade,
    TradeBar,
    VolatilityIndex,
)
from monitor.model.watermark import Watermark, WatermarkState

log = logging.getLogger(__name__)

_ENCODER: Final = msgspec.msgpack.Encoder()

LATE_S: Final = 2
"""Liquidations that arrive this long after their event time are late: Bybit's batches take half a second."""
NO_GAPS: Final[Mapping[str, int]] = {}
STEPPED_BACK: Final = (
    "time stepped back: a clock that was wrong had been believed, so the episode is no longer followed"
)
"""Note of the signal that ends an episode of what a step back dropped."""
SILENT_S: Final = 5
"""A venue whose liquidation channel sent heartbeats and stopped for this long is in a gap."""


class Detector:
    """Assets, and the market that they make.

    Args:
        settings: thresholds.
        with_market: whether the market is judged here; without, :meth:`take_summaries` hands out what whoever judges
            it needs.
    """

    def __init__(self, settings: DetectorSettings | None = None, *, with_market: bool = True) -> None:
        self.settings = settings or DetectorSettings()
        self.assets: dict[str, Asset] = {}
        self.market = Market(self.settings) if with_market else None
        self.second = 0  # the current second by arrival, not closed yet
        self.watermark = new_watermark(self.settings)
        self.liquidations = 0
        self.duplicates: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self.steps_back = 0
        self.excluded = Exclusions()
        self.signals_by_phase: dict[str, int] = {"calm": 0, "building": 0, "cascade": 0, "relief": 0}
        self.quarantine = Quarantine()
        self.changed: dict[str, None] = {}  # assets that a snapshot since the last one would show otherwise
        self._summaries: list[AssetSummary] = []
        self._awake: dict[str, Asset] = {}
        self._heartbeats: dict[str, int] = {}  # second of the last one on each venue's liquidation channel
        self._beats: dict[str, dict[str, int]] = {}  # microseconds of the last one by venue and channel
        self.holes = Holes()
        self._handlers: dict[type, Callable[[Any], None]] = {
            Liquidation: self._liquidation,
            Trade: self._trade,
            TradeBar: self._trade_bar,
            MarkPrice: self._mark_price,
            OpenInterest: self._open_interest,
            VolatilityIndex: self._volatility_index,
            Gap: self._gap,
            Heartbeat: self._heartbeat,
        }

    # Events

    def apply(self, events: Iterable[Any]) -> list[Signal]:
        """Take events in the order of their arrival and return the signals of the seconds that they close."""
        signals: list[Signal] = []
        handlers, watermark = self._handlers, self.watermark
        watermark.advance_to(self.second * MICROS)
        ends_us = (self.second + 1) * MICROS
        for event in events:
            if watermark.low_us <= (event.receive_time_us or event.event_time_us) < ends_us:
                try:
                    handlers[type(event)](event)
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
            ends_us = (self.second + 1) * MICROS
        return signals

    def place(self, events: Iterable[Any]) -> None:
        """Take events into the current second, whatever their arrival: the caller has decided on it."""
        handlers = self._handlers
        for event in events:
            try:
                handlers[type(event)](event)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is this asset's alone
                self._not_applied(event, error)

    def _not_applied(self, event: Event, error: Exception) -> None:
        if isinstance(error, QuarantinedError):
            self.quarantine.passed_over += 1
        else:
            self._set_aside(event.asset, self.second, error, event)

    def step_back(self, second: int) -> list[Signal]:
        """Make an earlier second the current one, because it was passed by a clock that was wrong.

        Whatever was judged after it is dropped: an asset that was opened later begins anew, and so does the market.

        Returns:
            The signals that end the episodes of what was dropped.
        """
        self.second = second
        signals: list[Signal] = []
        for name, asset in list(self.assets.items()):
            if max(asset.state.opened, asset.scope.state.second) > second:
                signals += ended(asset.scope, second, STEPPED_BACK)
                fresh = self.assets[name] = Asset(name, self.settings)
                fresh.scope.state.finished = asset.scope.state.finished
                self._awake.pop(name, None)
                self.changed[name] = None
        if self.market is not None:
            self.market, found = market_at(self.market, second)
            signals += found
        self._summaries = [summary for summary in self._summaries if summary.second <= second]
        self._heartbeats = {venue: min(at, second) for venue, at in self._heartbeats.items()}
        end_us = (second + 1) * MICROS
        self._beats = {
            venue: {channel: min(at_us, end_us) for channel, at_us in found.items()}
            for venue, found in self._beats.items()
        }
        self.holes.step_back(second)
        self.quarantine.step_back(second)
        self.steps_back += 1
        for signal in signals:
            self.signals_by_phase[signal.phase] += 1
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
        """Return the next second that must be closed: this one, the minute's last, or ``limit`` for none before it."""
        if self.quarantine.ends:
            return self.second
        wakes = [asset.scope.state.wake for asset in self._awake.values()]
        if self.market is not None:
            wakes.append(self.market.scope.state.wake)
        if Wake.AWAKE in wakes:
            return self.second
        if Wake.UNTIL_MINUTE in wakes:
            return self.second + 59 - self.second % 60
        return limit

    def _close(self, second: int) -> list[Signal]:
        feeds = feeds_at(self._heartbeats, second, self.holes.ends())
        signals: list[Signal] = []
        for asset in list(self._awake.values()):
            if asset.scope.is_due(second):
                try:
                    signals += self._close_asset(asset, second, feeds)
                except Exception as error:  # noqa: BLE001  # whatever it is, it is this asset's alone
                    self._set_aside(asset.name, second, error)
                    continue
            if asset.scope.state.wake is Wake.ASLEEP:
                del self._awake[asset.name]
        if self.market is not None:
            self.market, found = close_market(self.market, self.quarantine, second, self.take_summaries(), feeds)
            signals += found
        signals += self.quarantine.take_ended()
        for signal in signals:
            self.signals_by_phase[signal.phase] += 1
        return signals

    def _close_asset(self, asset: Asset, second: int, feeds: Feeds) -> list[Signal]:
        signals = asset.close(second, feeds)
        self.changed[asset.name] = None
        summary = asset.summary()
        if summary is not None:
            self._summaries.append(summary)
        return signals

    def _set_aside(self, name: str, second: int, error: Exception, event: Event | None = None) -> None:
        """Quarantine an asset for what it raised; the market sees it calm."""
        asset = self.assets.pop(name, None)
        self.quarantine.begin(None if asset is None else asset.scope, name, second, error, event)
        self._awake.pop(name, None)
        self.changed.pop(name, None)
        self._summaries.append(silent_summary(name, second))

    def heartbeats(self) -> dict[str, int]:
        """Return by venue the second of the last heartbeat on its liquidation channel."""
        return dict(self._heartbeats)

    def beats(self) -> dict[str, dict[str, int]]:
        """Return by venue and channel when its last heartbeat was received, microseconds."""
        return {venue: dict(found) for venue, found in self._beats.items()}

    def take_summaries(self) -> list[AssetSummary]:
        """Return what the assets reported to the market since the last call."""
        summaries, self._summaries = self._summaries, []
        return summaries

    def _asset(self, name: str) -> Asset:
        """Return an asset with the current second open; it is made when its first event comes."""
        asset = self.assets.get(name)
        if asset is None:
            asset = self._new_asset(name)
        if asset.state.opened != self.second:
            asset.open(self.second)
            self._awake[name] = asset
            self.changed[name] = None
        return asset

    def _new_asset(self, name: str) -> Asset:
        """Make an asset. Raises ``QuarantinedError`` while it is in quarantine."""
        self.quarantine.admit(name, self.second)
        asset = self.assets[name] = Asset(name, self.settings)
        asset.scope.state.finished = self.quarantine.finished.pop(name, [])
        return asset

    def _liquidation(self, event: Liquidation) -> None:
        known = self.assets.get(event.asset)
        if known is not None:
            series = known.context.open_interest.series(event.venue, event.symbol)
            if excess := find_excess(event, series, known.scope.price, self.second):
                self._exclude(event, known, excess)
                return
        asset = self._asset(event.asset)
        venue = event.venue
        if not asset.seen.add(event.id, self.second):
            self.duplicates[venue] = self.duplicates.get(venue, 0) + 1
            return
        if self.second - event.event_time_us // MICROS > LATE_S:
            self.late[venue] = self.late.get(venue, 0) + 1
        asset.liquidation(event)
        self.liquidations += 1

    def _exclude(self, event: Liquidation, asset: Asset, excess: Excess) -> None:
        """Count an impossible liquidation instead of taking it; the first of a venue and reason is logged.

        It leaves no trace but its id and the counts: the second does not even count as one in which the asset was seen.
        """
        self.changed[asset.name] = None
        if not asset.seen.add(event.id, self.second):
            self.duplicates[event.venue] = self.duplicates.get(event.venue, 0) + 1
            return
        if (event.venue, excess) not in self.excluded.counts:
            log.warning(
                "%s: a liquidation of %s of %.0f USD at %s is impossible by the %s: left out, further ones are counted",
                event.venue, event.symbol, event.notional_usd, event.price, excess,
            )  # fmt: skip
        self.excluded.add(event.venue, excess)

    def _trade(self, event: Trade) -> None:
        asset = self._asset(event.asset)
        venue = event.venue
        if asset.seen.add(f"{venue} {event.symbol} {event.id}", self.second):
            asset.trade(event)
        else:
            self.duplicates[venue] = self.duplicates.get(venue, 0) + 1

    def _trade_bar(self, event: TradeBar) -> None:
        self._asset(event.asset).trade_bar(event)

    def _mark_price(self, event: MarkPrice) -> None:
        self._asset(event.asset).mark_price(event)

    def _open_interest(self, event: OpenInterest) -> None:
        self._asset(event.asset).interest(event)

    def _volatility_index(self, event: VolatilityIndex) -> None:
        self._asset(event.asset).volatility_index(event)

    def _heartbeat(self, event: Heartbeat) -> None:
        self._beats.setdefault(event.venue, {})[event.channel] = min(
            event.receive_time_us,
            (self.second + 1) * MICROS,  # a stamp that is ahead is not believed
        )
        if event.channel == "liquidations":
            self._heartbeats[event.venue] = self.second
        self.watermark.note_active(event.venue)

    def _gap(self, event: Gap) -> None:
        for venue in sorted(self._heartbeats) if event.venue == ALL else (event.venue,):
            self.holes.take(msgspec.structs.replace(event, venue=venue), self.second)

    # What others may read

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
        totals = [asset.scope.state.totals for asset in self.assets.values()]
        windows = [asset.scope.flow.windows for asset in self.assets.values()]
        return DetectorView(
            assets=[asset_view(each) for each in self.monitored()],
            signals_by_phase=dict(self.signals_by_phase),
            liquidations=self.liquidations,
            liquidated_usd=(sum(each.long for each in totals) / MICROS, sum(each.short for each in totals) / MICROS),
            duplicates_by_venue=dict(self.duplicates),
            late_by_venue=dict(self.late),
            venues_in_gap=feeds_at(self._heartbeats, self.second).silent,
            second=self.second,
            market=None if self.market is None else market_view(self.market, self.second),
            quarantined=self.quarantine.active(self.second),
            faults=self.quarantine.faults,
            passed_over=self.quarantine.passed_over,
            gap_ratios=self.holes.ratios(self.second),
            ahead=ahead_view([self.watermark], self.steps_back),
            excluded=self.excluded.view(),
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
        except msgspec.MsgspecError as error:
            raise ValueError("not a snapshot of the detector") from error
        return cls.assemble(common, assets, settings, with_market=with_market)

    def asset_state(self, name: str) -> bytes:
        """Return one asset's part of a snapshot, which :attr:`changed` assets alone need anew."""
        return _ENCODER.encode(self.assets[name].snapshot())

    def common_state(self) -> bytes:
        """Return the part of a snapshot that belongs to no asset."""
        return _ENCODER.encode(
            CommonSnapshot(
                format=FORMAT,
                second=self.second,
                liquidations=self.liquidations,
                duplicates=self.duplicates,
                late=self.late,
                signals_by_phase=self.signals_by_phase,
                heartbeats=self._heartbeats,
                beats=self._beats,
                holes=self.holes.state(),
                awake=list(self._awake),
                summaries=self._summaries,
                excluded=self.excluded.state(),
                market=self.market.snapshot() if self.market is not None else None,
                quarantine=self.quarantine.state(),
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
        try:
            check_format(msgspec.msgpack.decode(common, type=Version).format)
        except msgspec.MsgspecError as error:
            raise ValueError("not a snapshot of the detector") from error
        self = cls(settings, with_market=with_market)
        try:
            self._load(msgspec.msgpack.decode(common, type=CommonSnapshot), assets)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(f"the detector's snapshot is damaged: {error!r}") from error
        return self

    def _load(self, common: CommonSnapshot, assets: Mapping[str, bytes]) -> None:
        self.second, self.liquidations = common.second, common.liquidations
        self.duplicates, self.late = common.duplicates, common.late
        self.signals_by_phase = common.signals_by_phase
        self._heartbeats, self._beats = common.heartbeats, common.beats
        self.holes.load(common.holes)
        self.watermark = new_watermark(self.settings, common.watermark)
        self.excluded.load(common.excluded)
        self._summaries = common.summaries
        self.quarantine.load(common.quarantine)
        for name, kept in assets.items():
            if name in self.quarantine.until:
                continue  # its last part is from before the fault
            asset = self.assets[name] = Asset(name, self.settings)
            asset.restore(msgspec.msgpack.decode(kept, type=AssetSnapshot))
        self._awake = {name: self.assets[name] for name in common.awake}
        if self.market is not None and common.market is not None:
            self.market.restore(common.market)


def close_market(
    market: Market, quarantine: Quarantine, second: int, summaries: Iterable[AssetSummary], feeds: Feeds
) -> tuple[Market, list[Signal]]:
    """Give the market a second's summaries and close it; a market that raises is quarantined and made anew."""
    try:
        quarantine.admit(MARKET, second)
        for summary in summaries:
            market.take(summary)
        if market.scope.is_due(second):
            return market, market.close(second, feeds)
    except QuarantinedError:
        pass  # summaries meanwhile are passed over, as an asset's records are
    except Exception as error:  # noqa: BLE001  # the assets are judged on without the market
        quarantine.begin(market.scope, MARKET, second, error)
        market = Market(market.settings)
        market.scope.state.finished = quarantine.finished.pop(MARKET, [])
    return market, []


def market_at(market: Market, second: int) -> tuple[Market, list[Signal]]:
    """Return the market as of an earlier second: itself, or a new one if it was judged since; and what that ends."""
    if market.scope.state.second <= second:
        return market, []
    fresh = Market(market.settings)
    fresh.scope.state.finished = market.scope.state.finished
    return fresh, ended(market.scope, second, STEPPED_BACK)


def new_watermark(settings: DetectorSettings, state: WatermarkState | None = None) -> Watermark:
    """Return a watermark with the settings' tolerance that continues from a saved state."""
    arrival = settings.arrival
    return Watermark(arrival.tolerance_seconds * MICROS, arrival.confirm_seconds * MICROS, state)


def feeds_at(heartbeats: Mapping[str, int], second: int, gaps: Mapping[str, int] = NO_GAPS) -> Feeds:
    """Return the venues' liquidation channels as of a second.

    Args:
        heartbeats: by venue the second of its last heartbeat.
        second: as of when.
        gaps: by venue the second in which its last gap ended that was not backfilled.
    """
    silent = sorted(venue for venue, at in heartbeats.items() if second - at > SILENT_S)
    return Feeds(heartbeats.keys(), silent, recent(gaps, second) if gaps else ())
