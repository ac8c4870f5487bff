"""What surrounds one asset's liquidations: leverage, its cost, price levels, holders, implied volatility, the pace.

None of it makes a cascade. It says how much there was to liquidate, and what a desk would look up next. Samples come
in when they come; ratios of long windows are taken at the end of a minute and stand until the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import UNSET, UnsetType

from monitor.detect.context.cached_reading import Standing
from monitor.detect.context.dislocation import FRESH_S, Dislocation, Stress
from monitor.detect.context.fragility import Fragility
from monitor.detect.context.funding_basis import Carry
from monitor.detect.context.holders import Holding, profit
from monitor.detect.context.implied_volatility import ImpliedVolatility
from monitor.detect.context.levels import Level
from monitor.detect.context.open_interest import INTEREST_WINDOWS, Change, OpenInterest
from monitor.detect.context.pace import MONTH_HOURS, WEEK_HOURS, Heard, pace_of
from monitor.detect.context.taker_variance import TakerVariance
from monitor.detect.context.turnover import Turnover, implied_ratio
from monitor.detect.flow.flow import Flow
from monitor.detect.price.price import Price
from monitor.detect.settings import DetectorSettings
from monitor.detect.view import ContextView
from monitor.model.events import (
    MICROS,
    SIDES,
    InterestChange,
    MarkPrice,
    Side,
    Signal,
    SignalHolding,
    SignalInterest,
    SignalLevel,
    SignalPace,
    SignalVolatility,
    VolatilityIndex,
)
from monitor.model.events import OpenInterest as OpenInterestEvent

DIGITS: Final = 6
"""Of a ratio in a signal: a hundredth of a basis point."""
BY_SIDE: Final = ("pace", "fragility")
"""What a view has of both sides and a signal of its own."""
EXACT_DIGITS: Final = 12
"""Of the ratios that must add up to 1e-9."""

Cost = tuple[float | None, float | None, float | None, float | None]
"""Funding per 8 h and its deviation, basis and its dispersion, as signals say them."""


class ContextSummary(NamedTuple):
    """What an asset reports to the market of its context, once a minute.

    Attributes:
        open_interest_usd: USD, 0 where it is not known.
        age_s: of its oldest sample, seconds.
        suspect: see :class:`monitor.detect.context.turnover.Turnover`.
        changes: by window the numbers of a :class:`monitor.detect.context.open_interest.Change`, coins left out.
        dvol: value, surprise and change of implied volatility, None where there is none.
        stress: surprise, move and volatility ratio, of an asset that stands for a traditional market.
    """

    open_interest_usd: float
    age_s: int
    suspect: bool
    changes: dict[str, tuple[int, int, int, int]]
    dvol: tuple[float, float, float | None] | None = None
    stress: tuple[float, float, float] | None = None


class Context:
    """The context of one asset.

    Attributes:
        open_interest: by venue and symbol.
        changes: of open interest by window, as of the last minute's end; windows that cannot be told are absent.
        funding_8h: as of the last minute's end, None where unknown.
        levels: by price, in the order of the settings.
    """

    def __init__(self, name: str, settings: DetectorSettings) -> None:
        self.open_interest = OpenInterest()
        self.carry = Carry()
        self.dislocation = Dislocation()
        self.turnover = Turnover()
        self.takers = TakerVariance()
        self.fragility = Fragility()
        self.volatility = ImpliedVolatility()
        self.heard = Heard()
        self.levels = {price: Level(price) for price in settings.levels.get(name, ())}
        self.holdings: list[Holding] = [each for each in settings.holders if each.asset == name]
        self.changes: dict[str, Change] = {}
        self.funding_8h: float | None = None
        self.primed = (0, 0)  # by side, see Fragility.primed; as of the last minute's end
        self._index = settings.market.indexes.get(name)
        self._implied: float | None = None
        self._said: tuple[dict[str, InterestChange], float | UnsetType] | None = None  # what signals of this minute say
        self._cost = Standing[Cost]()
        self._dislocated = [Standing[Stress | None]() for _ in SIDES]
        self._second = 0

    # What comes in

    def mark(self, event: MarkPrice) -> None:
        """Take a mark price's funding and basis."""
        self.carry.mark(event)
        self._judge_anew()

    def interest(self, event: OpenInterestEvent) -> None:
        """Take an open interest of any age."""
        second = event.event_time_us // MICROS
        self.open_interest.add(event.venue, event.symbol, second, event.open_interest, event.open_interest_usd)
        self._cost.drop()  # weights of the funding

    def implied(self, event: VolatilityIndex) -> None:
        """Take a volatility index."""
        self.volatility.add(event.venue, event.event_time_us // MICROS, event.value)

    # What a closed second means

    def close(self, second: int, price: Price) -> None:
        """Hold the levels against the price of a second."""
        self._second = second
        if price.last is not None:
            for level in self.levels.values():
                level.update(second, price.last, price.normal_move("1h"), price.sigma)

    def close_minute(self, second: int, flow: Flow, taken: Mapping[str, tuple[int, int]], *, learn: bool) -> None:
        """Take the ratios of the minute that ends with ``second``.

        Args:
            second: the minute's last.
            flow: the asset's liquidations.
            taken: by venue what takers bought and sold within the minute, micro-USD; venues without trades absent.
            learn: whether it is a quiet minute.
        """
        interest = self.open_interest
        found = {window: interest.change(window, second) for window in INTEREST_WINDOWS}
        self.changes = {window: change for window, change in found.items() if change is not None}
        self.turnover.minute(second // 60, {venue: buys + sells for venue, (buys, sells) in taken.items()})
        self.turnover.judge(interest, second)
        if taken:
            self.takers.minute(second // 60, sum(buys - sells for buys, sells in taken.values()) / MICROS)
        self.funding_8h = self.carry.funding_8h(second, interest.weight)
        if self.funding_8h is not None:
            self.carry.remember(second, self.funding_8h)
        self.fragility.minute(second, coins=interest.coins(second), funding=self.funding_8h, variance=self.takers.ratio)
        self.fragility.jumped(second, self.volatility.surprise(second))
        broken = max((level.broken_at or 0 for level in self.levels.values()), default=0)
        self.primed = (self.fragility.primed("long", second, broken), self.fragility.primed("short", second, broken))
        if learn:
            self.volatility.learn_minute(second)
            self.dislocation.learn_minute(self.carry.basis_by_venue(second, FRESH_S).values())
        self.heard.pass_to(second)
        latest = self.changes.get("5m")
        reported = flow.usd("5m", "long") + flow.usd("5m", "short")
        closed = max(0, latest.then - latest.constant) / MICROS if latest is not None else 0.0
        self._implied = implied_ratio(closed, reported)
        self._said = None
        self._judge_anew()

    def _judge_anew(self) -> None:
        """What the marks said holds no more: another one came, or what is normal changed."""
        self._cost.drop()
        for reading in self._dislocated:
            reading.drop()

    # What others may read

    def dislocated(self, side: Side, second: int) -> Stress | None:
        """How far perpetuals stand from the index and apart while ``side`` dies, None where too few venues tell."""
        return self._dislocated[SIDES.index(side)].at(second, partial(self._dislocated_at, side))

    def _dislocated_at(self, side: Side, second: int) -> tuple[Stress | None, int]:
        bases = self.carry.basis_by_venue(second, FRESH_S).values()
        return self.dislocation.against(side, bases), self.carry.stands_until(second, FRESH_S)

    def summary(self, second: int, price: Price) -> ContextSummary | None:
        """Return what the market must know; None where nothing is known."""
        interest = self.open_interest.alive(second)
        level = self.volatility.level(second)
        dvol = stress = None
        if level is not None:
            dvol = (level, self.volatility.surprise(second), self.volatility.change_24h(second))
        if self._index is not None and price.last is not None:
            side: Side = "long" if self._index == "falls" else "short"
            move = price.judged[side]
            stress = (move.surprise, move.ratio, price.volatility_ratio())
        if interest is None and dvol is None and stress is None:
            return None
        usd, age_s = (interest.usd, second - interest.oldest) if interest is not None else (0.0, 0)
        changes = {window: each[:4] for window, each in self.changes.items()}
        return ContextSummary(usd, age_s, bool(self.turnover.suspects), changes, dvol, stress)

    def stamp(self, signal: Signal, price: Price, flow: Flow) -> None:
        """Write the context into a signal of the second just closed."""
        write(signal, self.view(price, flow))

    def view(self, price: Price, flow: Flow) -> ContextView:
        """All of it as of the last closed second."""
        second = self._second
        funding, funding_z, basis, dispersion = self._cost.at(second, self._cost_view)
        level = self.volatility.level(second)
        variance = self.takers.ratio
        return ContextView(
            open_interest=self._interest_view(second),
            levels=[_level(each) for each in self.levels.values()] if price.last is not None else (),
            holders=[_holding(each, price) for each in self.holdings] if price.last is not None else (),
            funding_8h=funding,
            funding_z=funding_z,
            basis_bp=basis,
            basis_dispersion_bp=dispersion,
            dvol=None
            if level is None
            else dvol_of((level, self.volatility.surprise(second), self.volatility.change_24h(second))),
            pace=paces(flow, self.heard),
            taker_variance_ratio=None if variance is None else round(variance, DIGITS),
            fragility=self.fragility.sides,
        )

    def _cost_view(self, second: int) -> tuple[Cost, int]:
        """Funding, its deviation, basis and its dispersion, and until when they stand if no mark comes."""
        basis = self.carry.basis_bp(second)
        funding = self.carry.funding_8h(second, self.open_interest.weight)
        z = None if funding is None else self.carry.funding_z(funding)
        cost = (
            None if funding is None else round(funding, 10),
            None if z is None else round(z, 2),
            None if basis is None else round(basis[0], 3),
            None if basis is None else round(basis[1], 3),
        )
        return cost, self.carry.stands_until(second)

    def _interest_view(self, second: int) -> SignalInterest | None:
        alive = self.open_interest.alive(second)
        if alive is None:
            return None
        if self._said is None:
            changes = {window: change_of(each, coins=True) for window, each in self.changes.items()}
            self._said = changes, UNSET if self._implied is None else round(self._implied, DIGITS)
        changes, implied = self._said
        suspect = bool(self.turnover.suspects)
        return SignalInterest(alive.usd, second - alive.oldest, suspect, changes, alive.coins, implied)

    # Restart

    def state(self) -> dict[str, object]:
        """What a snapshot keeps."""
        return {
            "interest": self.open_interest.state(), "carry": self.carry.state(), "turnover": self.turnover.state(),
            "dislocation": self.dislocation.state(), "fragility": self.fragility.state(),
            "takers": self.takers.state(), "volatility": self.volatility.state(), "heard": self.heard.state(),
            "levels": [level.kept() for level in self.levels.values()], "changes": self.changes,
            "funding": self.funding_8h, "implied": self._implied, "second": self._second, "primed": self.primed,
        }  # fmt: skip

    def load(self, state: dict[str, Any]) -> None:
        """Become what :meth:`state` described; levels that were not configured then start from here."""
        for part, name in (
            (self.open_interest, "interest"), (self.carry, "carry"), (self.turnover, "turnover"),
            (self.dislocation, "dislocation"), (self.fragility, "fragility"),
            (self.takers, "takers"), (self.volatility, "volatility"), (self.heard, "heard"),
        ):  # fmt: skip
            part.load(state[name])
        for kept in state["levels"]:
            if kept[0] in self.levels:
                self.levels[kept[0]] = Level.restore(kept)
        self.changes = {window: Change(*kept) for window, kept in state["changes"].items()}
        self.funding_8h, self._implied, self._second = state["funding"], state["implied"], state["second"]
        self.primed = (state["primed"][0], state["primed"][1])


def write(signal: Signal, view: ContextView) -> None:
    """Write what is known into a signal; the rest stays absent."""
    for name, value in zip(ContextView._fields, view, strict=True):
        if name not in BY_SIDE and value is not None and value not in ((), []):
            setattr(signal, name, value)
    side = SIDES.index(signal.direction)
    if view.pace is not None:
        signal.pace = view.pace[side]
    fragility = view.fragility[side]
    if fragility is not None:
        signal.fragility = round(fragility, 4)


def change_of(change: Change, *, coins: bool) -> InterestChange:
    """A change as signals say it; ``usd`` is the sum of the two parts as printed, to 1e-12."""
    return InterestChange(
        round(change.usd, EXACT_DIGITS), round(change.constant_price, EXACT_DIGITS),
        round(change.price_effect, EXACT_DIGITS), round(change.covered, DIGITS), change.coins if coins else UNSET,
    )  # fmt: skip


def dvol_of(found: tuple[float, float, float | None]) -> SignalVolatility:
    """Implied volatility as signals say it."""
    level, surprise, change = found
    return SignalVolatility(level, round(surprise, 2), UNSET if change is None else round(change, DIGITS))


def paces(flow: Flow, heard: Heard) -> tuple[SignalPace, SignalPace] | None:
    """The pace of either side, None before anything was closed."""
    if not flow.table:
        return None
    covered = heard.share(WEEK_HOURS), heard.share(MONTH_HOURS)
    return _pace(flow, "long", covered), _pace(flow, "short", covered)


def _pace(flow: Flow, side: Side, covered: tuple[float, float]) -> SignalPace:
    pace = pace_of(flow.usd("24h", side), flow.usd("7d", side), flow.usd("30d", side), *covered)
    ratios = [UNSET if ratio is None else round(ratio, DIGITS) for ratio in pace[:4]]
    return SignalPace(round(covered[0], DIGITS), round(covered[1], DIGITS), *ratios)


def _level(level: Level) -> SignalLevel:
    broken_us = UNSET if level.broken_at is None else level.broken_at * MICROS
    return SignalLevel(level.price, level.state, level.broken, round(level.distance, DIGITS), broken_us)


def _holding(holding: Holding, price: Price) -> SignalHolding:
    found = profit(holding, price.last or 0.0, price.sigma)
    equity = UNSET if found.equity_ratio is None else round(found.equity_ratio, DIGITS)
    return SignalHolding(
        holding.holder, holding.quantity, holding.average_cost_usd, holding.as_of.isoformat(),
        round(found.pnl_usd, 2), round(found.distance, DIGITS), round(found.sigmas, 3), equity,
    )  # fmt: skip
