"""One asset over all venues: a scope fed by events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from monitor.detect.context.context import Context, Told
from monitor.detect.decide.confirming import INTEREST_DROP, closed, context_items, dislocation, leverage
from monitor.detect.decide.visibility import Feeds
from monitor.detect.dedup import Seen
from monitor.detect.flow.corrected_totals import Minute
from monitor.detect.flow.flow import SIDE_INDEX
from monitor.detect.flow.hidden_flow import THROTTLED, Throttle
from monitor.detect.flow.windows import Windows
from monitor.detect.scope import Scope
from monitor.detect.score import Item
from monitor.detect.settings import DetectorSettings
from monitor.model.events import (
    MICROS,
    Coverage,
    Evidence,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Phase,
    Side,
    Signal,
    Trade,
    TradeBar,
    VolatilityIndex,
    micro_usd,
)

VOLUME_WINDOWS: Final = {"1m": 60}
VOLUME_RISE: Final = 26.0
"""Points that a score can gain while nothing comes where trades are seen, 13 of 33 of the flow's 62: they too may leave
the minute first."""


EXECUTED: Final = frozenset({"average_fill", "fill"})
"""Prices of a liquidation at which something was traded; bankruptcy and order prices are limits far from the market."""
NONE: Final[Mapping[str, Any]] = {}


class Flown(NamedTuple):
    """One liquidation as the market sees it: its bucket, what died, and what it was worth."""

    second: int
    side: Side
    micros: int
    orders: int
    complete: bool
    aggregated: bool


class Summary(NamedTuple):
    """What one asset tells the market once a second in which anything happened.

    Attributes:
        asset: which.
        second: the closed second.
        flown: its liquidations.
        price: its last mark, or what stands in for it.
        marked: whether the price is a mark; with the first one it begins anew.
        stressed: by side whether its flow or price is far from normal.
        phases: by side; calm where it is merely watched.
        venues: where its liquidations were seen.
        open_interest_usd: 0 where it is not known.
        hidden: by window what its saturated feeds hide, micro-USD by side.
        minute: at a minute's end what that minute hid.
        saturation: by venue; see :class:`monitor.model.events.SignalCoverage`.
        context: at a minute's end what surrounds it.
    """

    asset: str
    second: int
    flown: tuple[Flown, ...]
    price: float | None
    marked: bool
    stressed: tuple[bool, bool]
    phases: tuple[Phase, Phase]
    venues: tuple[str, ...]
    open_interest_usd: float = 0.0
    hidden: Mapping[str, tuple[int, int]] = NONE
    minute: Minute | None = None
    saturation: Mapping[str, float] = NONE
    context: Told | None = None


class Asset(Scope):
    """An asset; its sources are venues."""

    def __init__(self, name: str, settings: DetectorSettings) -> None:
        super().__init__(name, settings)
        self.seen = Seen()
        self.volume = Windows(VOLUME_WINDOWS)
        self.context = Context(name, settings)
        self.coverages: dict[str, Coverage] = {}
        self.throttles: dict[tuple[str, str], Throttle] = {}  # by venue and symbol
        self.marked = False  # whether a mark price ever came; until then executed prices stand in
        self._hid = False  # whether the market was last told of anything hidden
        self._phases_told: tuple[Phase, Phase] = ("calm", "calm")  # to the market
        self._buy_lanes: dict[str, int] = {}  # first of a venue's two lanes; the next one holds sells
        self._flown: list[Flown] = []

    def liquidation(self, event: Liquidation) -> None:
        """Take a liquidation."""
        second = event.event_time_us // MICROS
        micros = micro_usd(event.notional_usd)
        coverage = event.coverage
        self.coverages[event.venue] = coverage
        complete, aggregated = coverage == "complete", coverage == "aggregated"
        if coverage in THROTTLED:
            self._throttle(event, coverage, second, micros)
        self.liquidated(event.venue, event.side, second, micros, event.orders, complete=complete, aggregated=aggregated)
        self._flown.append(Flown(second, event.side, micros, event.orders, complete, aggregated))
        if not self.marked and event.price_kind in EXECUTED and event.price is not UNSET:
            self._executed(event.venue, second, event.price)

    def _throttle(self, event: Liquidation, coverage: Coverage, second: int, micros: int) -> None:
        key = (event.venue, event.symbol)
        throttle = self.throttles.get(key)
        if throttle is None:
            throttle = self.throttles[key] = Throttle(largest=coverage == "largest_per_second")
        throttle.advance(self.opened)
        throttle.add(second, event.side, micros)

    def _correct(self, second: int) -> None:
        """Bring what throttled feeds hide up to date."""
        live = {key: throttle for key, throttle in self.throttles.items() if not throttle.empty}
        if live or self.corrected.saturation:
            for throttle in live.values():
                throttle.advance(second)
            self.corrected.measure(second, live)
            self.flow.hide(self.corrected.windows)

    def trade(self, event: Trade) -> None:
        """Take a trade into the taker volume."""
        lane = self._buy_lanes.get(event.venue)
        if lane is None:
            lane = self._volume_lane(event.venue)
        if event.taker_side == "sell":
            lane += 1
        second = event.event_time_us // MICROS
        self.volume.add(lane, second, micro_usd(event.notional_usd), event.trades)
        if not self.marked:
            self._executed(event.venue, second, event.price)

    def trade_bar(self, event: TradeBar) -> None:
        """Take a bar of trades into the taker volume; it belongs to the second in which its interval began."""
        lane = self._volume_lane(event.venue)
        second = (event.event_time_us - event.interval_us) // MICROS
        self.volume.add(lane, second, micro_usd(event.buy_usd), event.trades)
        self.volume.add(lane + 1, second, micro_usd(event.sell_usd), 0)
        if not self.marked:
            self._executed(event.venue, second, event.close)

    def _volume_lane(self, venue: str) -> int:
        lane = self._buy_lanes.get(venue)
        if lane is None:
            lane = self._buy_lanes[venue] = self.volume.lane((venue, "buy"))
            self.volume.lane((venue, "sell"))
        return lane

    def _executed(self, venue: str, second: int, price: float) -> None:
        """Take the price of what was traded for the mark that is not known."""
        self.price.mark(venue, second, price)
        self.touch()

    def mark_price(self, event: MarkPrice) -> None:
        """Take a mark price; from the first one on, executed prices are forgotten and stand in no more."""
        if not self.marked:
            self.marked = True
            self._begin_price()
        self.price.mark(event.venue, event.event_time_us // MICROS, event.mark_price)
        self.context.mark(event)
        self.touch()

    def interest(self, event: OpenInterest) -> None:
        """Take an open interest, new or old."""
        self.context.interest(event)
        self.flow.expect(self.open_interest_usd)
        self.learning = True  # the minute must end for it

    def volatility_index(self, event: VolatilityIndex) -> None:
        """Take an implied volatility."""
        self.context.implied(event)
        self.learning = True

    def open(self, second: int) -> None:
        """Make ``second`` the one that events fall into, so that adding them is quick."""
        super().open(second)
        self.volume.advance(second)
        self.context.heard.at(second)

    def close(self, second: int, feeds: Feeds) -> list[Signal]:
        """Close a second; see :meth:`monitor.detect.scope.Scope.close`."""
        self.volume.advance(second)
        signals = super().close(second, feeds)
        self.context.close(second, self.price)
        if second % 60 == 59:
            self.context.close_minute(second, self.flow, self._taken(), learn=not self.frozen_since)
        for signal in signals:
            self.context.stamp(signal, self.price, self.flow)
            if self.phases[SIDE_INDEX[signal.direction]].state.watched:
                self._say_why(signal)
        return signals

    def _say_why(self, signal: Signal) -> None:
        """Say of a side that builds without liquidations how fragile it is; that gives no points."""
        fragile = self.context.fragility.of(signal.direction) or 0.0
        signal.evidence = [*signal.evidence, Evidence("fragility", round(fragile, 6), 0.5, 0.0)]

    def _taken(self) -> dict[str, tuple[int, int]]:
        """By venue what takers bought and sold within the last minute, micro-USD."""
        sums = self.volume.sums("1m")
        return {venue: (int(sums[lane]), int(sums[lane + 1])) for venue, lane in self._buy_lanes.items()}

    @property
    def open_interest_usd(self) -> float:
        """Open interest over all venues that is not stale, USD; 0 where none is known."""
        return self.context.open_interest.usd(self.opened) or 0.0

    def _venues(self, feeds: Feeds) -> set[str]:
        """Where liquidations of it were seen, and where it has a price and their channel beats."""
        return {*self.flow.sources, *(venue for venue in self.price.venues if venue in feeds.beating)}

    def _interest_by_venue(self) -> Mapping[str, float]:
        return self.context.open_interest.by_venue(self.opened)

    def taker_usd(self, side: Side) -> float:
        """Taker volume of the last minute in the direction in which ``side`` is closed, on venues with liquidations."""
        first = 1 if side == "long" else 0
        sums = self.volume.sums("1m")
        return (
            sum(int(sums[lane + first]) for venue, lane in self._buy_lanes.items() if venue in self.coverages) / MICROS
        )

    @property
    def _rise(self) -> float:
        return VOLUME_RISE if self._buy_lanes else super()._rise

    def _confirming_items(self, side: Side) -> list[Item]:
        context, second = self.context, self.second
        return [
            *leverage(context, side, second),
            *dislocation(context, side, second),
            *context_items(context, self.price, side, second),
        ]

    def _stand_ins(
        self, side: Side, surprise: dict[str, float], confirming: list[Item]
    ) -> list[tuple[list[Item], list[Item]]]:
        others = [item for item in confirming if not item.feature.startswith(INTEREST_DROP)]  # none counts twice
        return [*super()._stand_ins(side, surprise, confirming), (closed(self.context, self.second), others)]

    def _flow_items(self, side: Side, surprise: dict[str, float]) -> list[Item]:
        items = super()._flow_items(side, surprise)
        taken = self.taker_usd(side) if items else 0.0
        if taken > 0:
            share = min(1.0, self.flow.usd("1m", side) / taken)
            items.append(Item("forced_share_1m", share, 0.01, share, 0.05, 0.30, 8))
        return items

    def _primed(self, side: Side) -> int:
        return self.context.primed[SIDE_INDEX[side]]

    def summary(self) -> Summary | None:
        """What the market must know of the second just closed; None if nothing of it is new."""
        flown, self._flown = tuple(self._flown), []
        phases = (self.phases[0].episode_phase, self.phases[1].episode_phase)
        turned, self._phases_told = self._phases_told != phases, phases
        stressed = (self.stressed_second[0] == self.second, self.stressed_second[1] == self.second)
        corrected = self.corrected
        minute_ends = self.second % 60 == 59
        minute = corrected.minute if minute_ends and corrected.saturation else None
        told = self.context.told(self.second, self.price) if minute_ends else None
        hid, self._hid = self._hid, bool(corrected.windows)
        news = (flown, *stressed, turned, "cascade" in phases, minute is not None, hid, self._hid, told is not None)
        if not any(news) and self.price.second != self.second:
            return None
        return Summary(
            self.name, self.second, flown, self.price.last, self.marked, stressed, phases, tuple(self.flow.sources),
            self.open_interest_usd, corrected.windows, minute, corrected.by_venue, told,
        )  # fmt: skip

    def coverage_ratio(self) -> float | None:
        """Share of the last day's liquidated USD that complete feeds showed; None where there was none."""
        sums = self.flow.windows.sums("24h")
        by_venue = {venue: int(sums[lane]) + int(sums[lane + 1]) for venue, lane in self.flow.sources.items()}
        total = sum(by_venue.values())
        if not total:
            return None
        return sum(usd for venue, usd in by_venue.items() if self.coverages.get(venue) == "complete") / total

    def state(self) -> dict[str, object]:
        """What a snapshot keeps."""
        return super().state() | {
            "seen": self.seen.state(),
            "volume": self.volume.state(), "context": self.context.state(),
            "coverages": self.coverages, "flown": self._flown, "buy_lanes": self._buy_lanes, "hid": self._hid,
            "marked": self.marked, "phases_told": self._phases_told,
            "throttles": [(*key, throttle.state()) for key, throttle in self.throttles.items()],
        }  # fmt: skip

    def load(self, state: dict) -> None:  # type: ignore[type-arg]
        """Become what :meth:`state` described."""
        super().load(state)
        self.seen = Seen.restore(state["seen"])
        self.volume = Windows.restore(state["volume"], VOLUME_WINDOWS)
        self._buy_lanes = state["buy_lanes"]
        self.context.load(state["context"])
        self.coverages = state["coverages"]
        self._hid, self.marked = state["hid"], state["marked"]
        long, short = state["phases_told"]
        self._phases_told = (long, short)
        self.throttles = {(venue, symbol): Throttle.restore(kept) for venue, symbol, kept in state["throttles"]}
        self._flown = [Flown(*kept) for kept in state["flown"]]
