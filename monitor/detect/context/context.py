"""Context of one asset's liquidations: leverage, its cost, price levels, holders, implied volatility, and the pace.

No context makes a cascade. It shows how much there was to liquidate, and what a desk would look up next. Samples are
taken when they come; ratios of long windows are computed at the end of a minute and hold until the next one ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from monitor.detect.context.cached_reading import CachedReading
from monitor.detect.context.context_summary import ChangeSummary, ContextSummary, IndexStress, VolatilityReading
from monitor.detect.context.dislocation import FRESH_S, Dislocation, DislocationState, Stress
from monitor.detect.context.fragility import Fragility, FragilityState
from monitor.detect.context.funding_basis import FundingBasis, FundingBasisState
from monitor.detect.context.holders import Holding
from monitor.detect.context.implied_volatility import ImpliedVolatility, VolatilityState
from monitor.detect.context.levels import Level, LevelSnapshot
from monitor.detect.context.open_interest import INTEREST_WINDOWS, Change, OpenInterest, SeriesState
from monitor.detect.context.pace import WatchedHours, WatchedHoursState
from monitor.detect.context.signal_fields import (
    DIGITS,
    change_field,
    holding_field,
    level_field,
    pace_fields,
    volatility_field,
)
from monitor.detect.context.taker_variance import TakerVariance, TakerVarianceState
from monitor.detect.context.turnover import Turnover, TurnoverState, implied_ratio
from monitor.detect.flow.flow import Flow
from monitor.detect.price.price import Price
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import ContextView
from monitor.model.events import (
    MICROS,
    MarkPrice,
    Side,
    VolatilityIndex,
)
from monitor.model.events import OpenInterest as OpenInterestEvent
from monitor.model.sides import BySide
from monitor.model.signals import InterestChange, SignalInterest


class Cost(NamedTuple):
    """Funding per 8 h and its deviation, basis and its dispersion (bp), rounded as signals show them."""

    funding_8h: float | None
    funding_z: float | None
    basis_bp: float | None
    basis_dispersion_bp: float | None


class ContextState(msgspec.Struct):
    """State of a context besides its parts.

    Attributes:
        second: the last closed second.
        changes: changes of open interest by window as of the last minute's end; windows with an unknown one are absent.
        funding_8h: funding per 8 h as of the last minute's end; None where unknown.
        implied: what open interest closed over what was reported as liquidated, as of then; None where unknown.
        watch_since: by side the second since which it is watched, 0 if it is not; see
            :meth:`monitor.detect.context.fragility.Fragility.watch_since`.
    """

    second: int
    changes: dict[str, Change]
    funding_8h: float | None
    implied: float | None
    watch_since: BySide[int]


class ContextSnapshot(msgspec.Struct):
    """A context as a snapshot stores it."""

    state: ContextState
    open_interest: list[SeriesState]
    funding_basis: FundingBasisState
    dislocation: DislocationState
    turnover: TurnoverState
    takers: TakerVarianceState
    fragility: FragilityState
    volatility: VolatilityState
    watched: WatchedHoursState
    levels: list[LevelSnapshot]


class Context:
    """Context of one asset.

    Attributes:
        open_interest: by venue and symbol.
        funding_basis: funding and basis over venues.
        dislocation: distance of perpetuals from their index and from one another.
        turnover: venues whose open interest changes by more than they trade.
        takers: variance of the takers' balance.
        fragility: mean rank of the slow readings.
        volatility: implied volatility.
        watched: hours in which any event of the asset came.
        levels: by price, in the order of the settings.
        holdings: of the settings.
        state: what else is remembered.
    """

    def __init__(self, name: str, settings: DetectorSettings) -> None:
        self.open_interest = OpenInterest()
        self.funding_basis = FundingBasis()
        self.dislocation = Dislocation()
        self.turnover = Turnover()
        self.takers = TakerVariance()
        self.fragility = Fragility()
        self.volatility = ImpliedVolatility()
        self.watched = WatchedHours()
        self.levels = {price: Level(price) for price in settings.levels.get(name, ())}
        self.holdings: list[Holding] = [each for each in settings.holders if each.asset == name]
        self.state = ContextState(second=0, changes={}, funding_8h=None, implied=None, watch_since=BySide(0, 0))
        self._index = settings.market.indexes.get(name)
        self._interest_fields: tuple[dict[str, InterestChange], float | UnsetType] | None = None  # of this minute
        self._cost = CachedReading[Cost]()
        self._dislocated = BySide(CachedReading[Stress | None](), CachedReading[Stress | None]())

    # What comes in

    def mark(self, event: MarkPrice) -> None:
        """Take a mark price's funding and basis."""
        self.funding_basis.mark(event)
        self._invalidate()

    def interest(self, event: OpenInterestEvent) -> None:
        """Take an open interest of any age."""
        second = event.event_time_us // MICROS
        self.open_interest.add(event.venue, event.symbol, second, event.open_interest, event.open_interest_usd)
        self._cost.invalidate()  # open interest weighs the funding

    def implied(self, event: VolatilityIndex) -> None:
        """Take a volatility index."""
        self.volatility.add(event.venue, event.event_time_us // MICROS, event.value)

    # What a closed second means

    def close(self, second: int, price: Price) -> None:
        """Compare the levels with the price of a second."""
        self.state.second = second
        if price.last is not None:
            for level in self.levels.values():
                level.update(second, price.last, price.normal_move("1h"), price.sigma)

    def close_minute(self, second: int, flow: Flow, taken: Mapping[str, tuple[int, int]], *, learn: bool) -> None:
        """Compute the ratios of the minute that ends with ``second``.

        Args:
            second: the minute's last.
            flow: the asset's liquidations.
            taken: by venue what takers bought and sold within the minute, micro-USD; venues without trades are absent.
            learn: whether the minute is a quiet one.
        """
        self._close_interest(second, flow, taken)
        self._close_fragility(second)
        if learn:
            self.volatility.learn_minute(second)
            self.dislocation.learn_minute(self.funding_basis.basis_by_venue(second, FRESH_S).values())
        self.watched.advance(second)
        self._invalidate()

    def _close_interest(self, second: int, flow: Flow, taken: Mapping[str, tuple[int, int]]) -> None:
        """Compute the changes of open interest, compare them with the trades, and take the minute's takers."""
        state = self.state
        found = {window: self.open_interest.change(window, second) for window in INTEREST_WINDOWS}
        state.changes = {window: change for window, change in found.items() if change is not None}
        self.turnover.minute(second // 60, {venue: buys + sells for venue, (buys, sells) in taken.items()})
        self.turnover.judge(self.open_interest, second)
        if taken:
            self.takers.minute(second // 60, sum(buys - sells for buys, sells in taken.values()) / MICROS)
        latest = state.changes.get("5m")
        reported = flow.usd("5m", "long") + flow.usd("5m", "short")
        closed = max(0, latest.then - latest.constant) / MICROS if latest is not None else 0.0
        state.implied = implied_ratio(closed, reported)
        self._interest_fields = None

    def _close_fragility(self, second: int) -> None:
        """Compute the funding, rank the slow readings, and find the sides to watch."""
        state, fragility = self.state, self.fragility
        funding = state.funding_8h = self.funding_basis.funding_8h(second, self.open_interest.weight)
        if funding is not None:
            self.funding_basis.remember(second, funding)
        fragility.minute(second, coins=self.open_interest.coins(second), funding=funding, variance=self.takers.ratio)
        fragility.note_jump(second, self.volatility.surprise(second))
        broken_at = max((level.broken_at or 0 for level in self.levels.values()), default=0)
        state.watch_since = BySide(
            fragility.watch_since("long", second, broken_at), fragility.watch_since("short", second, broken_at)
        )

    def _invalidate(self) -> None:
        """Discard the readings made of marks, because a mark came or the baseline changed."""
        self._cost.invalidate()
        for reading in self._dislocated:
            reading.invalidate()

    # What others may read

    def dislocated(self, side: Side, second: int) -> Stress | None:
        """Return the dislocation if ``side`` is liquidated; None where too few venues have a basis."""
        return self._dislocated[side].at(second, partial(self._compute_dislocated, side))

    def _compute_dislocated(self, side: Side, second: int) -> tuple[Stress | None, int]:
        bases = self.funding_basis.basis_by_venue(second, FRESH_S).values()
        return self.dislocation.against(side, bases), self.funding_basis.valid_until(second, FRESH_S)

    def _volatility_reading(self, second: int) -> VolatilityReading | None:
        level = self.volatility.level(second)
        if level is None:
            return None
        return VolatilityReading(level, self.volatility.surprise(second), self.volatility.change_24h(second))

    def summary(self, second: int, price: Price) -> ContextSummary | None:
        """Return what the market must know; None where nothing is known."""
        interest = self.open_interest.alive(second)
        dvol, stress = self._volatility_reading(second), None
        if self._index is not None and price.last is not None:
            side: Side = "long" if self._index == "falls" else "short"
            move = price.judged[side]
            stress = IndexStress(move.surprise, move.ratio, price.volatility_ratio())
        if interest is None and dvol is None and stress is None:
            return None
        return ContextSummary(
            open_interest_usd=0.0 if interest is None else interest.usd,
            age_s=0 if interest is None else second - interest.oldest,
            suspect=bool(self.turnover.suspects),
            changes={window: ChangeSummary(*each[:4]) for window, each in self.state.changes.items()},
            dvol=dvol,
            stress=stress,
        )

    def view(self, price: Price, flow: Flow) -> ContextView:
        """Return all readings as of the last closed second."""
        second = self.state.second
        cost, dvol, variance = (
            self._cost.at(second, self._compute_cost),
            self._volatility_reading(second),
            self.takers.ratio,
        )
        is_priced = price.last is not None
        return ContextView(
            open_interest=self._interest_field(second),
            levels=[level_field(each) for each in self.levels.values()] if is_priced else (),
            holders=[holding_field(each, price) for each in self.holdings] if is_priced else (),
            funding_8h=cost.funding_8h,
            funding_z=cost.funding_z,
            basis_bp=cost.basis_bp,
            basis_dispersion_bp=cost.basis_dispersion_bp,
            dvol=None if dvol is None else volatility_field(dvol),
            pace=pace_fields(flow, self.watched),
            taker_variance_ratio=None if variance is None else round(variance, DIGITS),
            fragility=self.fragility.sides,
        )

    def _compute_cost(self, second: int) -> tuple[Cost, int]:
        """Return funding and basis, and the last second for which they hold if no mark comes."""
        basis = self.funding_basis.basis_bp(second)
        funding = self.funding_basis.funding_8h(second, self.open_interest.weight)
        z = None if funding is None else self.funding_basis.funding_z(funding)
        cost = Cost(
            funding_8h=None if funding is None else round(funding, 10),
            funding_z=None if z is None else round(z, 2),
            basis_bp=None if basis is None else round(basis[0], 3),
            basis_dispersion_bp=None if basis is None else round(basis[1], 3),
        )
        return cost, self.funding_basis.valid_until(second)

    def _interest_field(self, second: int) -> SignalInterest | None:
        alive = self.open_interest.alive(second)
        if alive is None:
            return None
        state = self.state
        if self._interest_fields is None:
            changes = {window: change_field(each, coins=True) for window, each in state.changes.items()}
            self._interest_fields = changes, UNSET if state.implied is None else round(state.implied, DIGITS)
        changes, implied = self._interest_fields
        return SignalInterest(
            usd=alive.usd,
            age_s=second - alive.oldest,
            suspect=bool(self.turnover.suspects),
            changes=changes,
            coins=alive.coins,
            implied_forced_ratio=implied,
        )

    # Restart

    def snapshot(self) -> ContextSnapshot:
        """Return what a snapshot stores. It shares this context's state, so encode it before the next event."""
        return ContextSnapshot(
            state=self.state,
            open_interest=self.open_interest.state(),
            funding_basis=self.funding_basis.state(),
            dislocation=self.dislocation.state(),
            turnover=self.turnover.state(),
            takers=self.takers.state(),
            fragility=self.fragility.state(),
            volatility=self.volatility.state(),
            watched=self.watched.state(),
            levels=[level.snapshot() for level in self.levels.values()],
        )

    def restore(self, snapshot: ContextSnapshot) -> None:
        """Become what :meth:`snapshot` described; levels that were not configured then start anew."""
        self.state = snapshot.state
        self.open_interest.load(snapshot.open_interest)
        self.funding_basis.load(snapshot.funding_basis)
        self.dislocation.load(snapshot.dislocation)
        self.turnover.load(snapshot.turnover)
        self.takers.load(snapshot.takers)
        self.fragility.load(snapshot.fragility)
        self.volatility.load(snapshot.volatility)
        self.watched.load(snapshot.watched)
        for level in snapshot.levels:
            if level.price in self.levels:
                self.levels[level.price] = Level.restore(level)
        self._interest_fields = None
        self._invalidate()
