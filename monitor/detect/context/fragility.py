"""Fragility of an asset before anything happens: slow readings ranked within their own thirty days."""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.detect.context.sampled_history import HistoryState, SampledHistory
from monitor.model.events import Side

SLOT_S: Final = 3_600
DAY_30_S: Final = 2_592_000
LEAST_SAMPLES: Final = 168
"""Minimum number of hourly samples for a rank, of 720 in thirty days: a week."""
LEAST_READINGS: Final = 2
"""Minimum number of known readings: open interest in coins alone also grows with an asset's popularity."""
FRAGILE: Final = 0.9
"""Mean rank (0 to 1) from which a side is fragile: its readings are on average in their highest tenth."""
JUMP: Final = 3.0
"""Surprise in decades from which a day's rise of implied volatility is a reason to watch a fragile side."""
WATCH_S: Final = 3_600
"""Seconds for which a fragile side is watched after such a rise began or after a level broke."""


class Ranked:
    """Rank of a value within hourly samples of thirty days: 0 is below all, 1 above all, ties count half.

    Example:
        >>> ranked = Ranked()
        >>> for hour in range(200):
        ...     ranked.add(3_600 * hour, float(hour % 100))
        >>> ranked.of(99.0), ranked.of(-1.0), ranked.of(49.5)
        (0.995, 0.0, 0.5)
    """

    __slots__ = ("_samples",)

    def __init__(self) -> None:
        self._samples = SampledHistory(SLOT_S, DAY_30_S)

    def add(self, second: int, value: float) -> None:
        """Add a value; only the first of an hour is kept."""
        self._samples.add(second, value, 0)

    def of(self, value: float) -> float | None:
        """Return the share (0 to 1) of the samples below ``value``; None before a week of them."""
        values = self._samples.values
        if len(values) < LEAST_SAMPLES:
            return None
        return (sum(each < value for each in values) + 0.5 * values.count(value)) / len(values)

    def state(self) -> HistoryState:
        """Return what a snapshot stores."""
        return self._samples.state()

    def load(self, state: HistoryState) -> None:
        """Restore what :meth:`state` returned."""
        self._samples.load(state)


class FragilityState(msgspec.Struct, array_like=True):
    """Everything that :class:`Fragility` remembers.

    Attributes:
        coins: samples of open interest in base units.
        funding: samples of funding per 8 h.
        variance: samples of the takers' variance ratio.
        hour: the hour, numbered since the epoch, that the ranks are of.
        sides: fragility of longs and of shorts.
        jump: surprise of implied volatility's rise as last reported, decades.
        jumped_at: the second in which it last began to be large.
    """

    coins: HistoryState
    funding: HistoryState
    variance: HistoryState
    hour: int
    sides: tuple[float | None, float | None]
    jump: float
    jumped_at: int


class Fragility:
    """Mean rank of open interest in coins, of funding and of the compression of takers' variance.

    Unit: 0 to 1, each reading against the asset's own thirty days. Open interest shows how much there is to liquidate,
    funding which side is crowded (longs pay where it is high), and a variance of takers' flow that shrinks came before
    six of seven BTC cascades (Garcia Seuma 2026, preprint; over many events only). Typical: 0.5, above 0.9 seldom. It
    is no forecast: no early warning held across all events of that study. It is computed once an hour, which is what
    it costs. A fragile side is watched while a level just broke or implied volatility jumped: the side may build, and
    nobody is paged. See docs/detection-rules.md, "Readings that never decide".

    Example:
        >>> fragility = Fragility()
        >>> for hour in range(200):
        ...     fragility.minute(3_600 * hour, coins=1_000.0 + hour, funding=1e-4, variance=1.0 + hour % 7)
        >>> fragility.minute(3_600 * 200, coins=2_000.0, funding=9e-4, variance=0.3)
        >>> fragility.of("long"), round(fragility.of("short"), 2)
        (1.0, 0.67)
    """

    __slots__ = ("_coins", "_funding", "_hour", "_jump", "_jumped_at", "_sides", "_variance")

    def __init__(self) -> None:
        self._coins = Ranked()
        self._funding = Ranked()
        self._variance = Ranked()
        self._hour = 0  # the hour that the ranks are of
        self._sides: tuple[float | None, float | None] = (None, None)
        self._jump = 0.0  # surprise of implied volatility's rise as last reported, decades
        self._jumped_at = 0

    def minute(self, second: int, *, coins: float | None, funding: float | None, variance: float | None) -> None:
        """Rank and store the readings of the first minute of an hour that has any; None for those not known."""
        hour = second // SLOT_S
        if hour == self._hour or (coins is None and funding is None and variance is None):
            return
        self._hour = hour
        load, crowd, noise = (
            None if value is None else ranked.of(value)
            for ranked, value in ((self._coins, coins), (self._funding, funding), (self._variance, variance))
        )
        calm = None if noise is None else 1.0 - noise
        self._sides = _mean(load, crowd, calm), _mean(load, None if crowd is None else 1.0 - crowd, calm)
        for ranked, value in ((self._coins, coins), (self._funding, funding), (self._variance, variance)):
            if value is not None:
                ranked.add(second, value)

    def note_jump(self, second: int, decades: float) -> None:
        """Note the surprise of implied volatility's rise, decades; the second in which it becomes large counts."""
        if decades >= JUMP > self._jump:
            self._jumped_at = second
        self._jump = decades

    def watch_since(self, side: Side, second: int, broken_at: int) -> int:
        """Return the second since which a side is watched; 0 if it is not.

        Args:
            side: which.
            second: the current second.
            broken_at: the second in which a level of the asset last broke, 0 for never; it counts for longs.
        """
        if (self.of(side) or 0.0) < FRAGILE:
            return 0
        at = max(broken_at if side == "long" else 0, self._jumped_at)
        return at if at and second - at < WATCH_S else 0

    @property
    def sides(self) -> tuple[float | None, float | None]:
        """Return the fragility of longs and of shorts."""
        return self._sides

    def of(self, side: Side) -> float | None:
        """Return the fragility (0 to 1) of a side as of this hour; None where fewer than two readings are known."""
        return self._sides[0 if side == "long" else 1]

    def state(self) -> FragilityState:
        """Return what a snapshot stores."""
        return FragilityState(
            coins=self._coins.state(),
            funding=self._funding.state(),
            variance=self._variance.state(),
            hour=self._hour,
            sides=self._sides,
            jump=self._jump,
            jumped_at=self._jumped_at,
        )

    def load(self, state: FragilityState) -> None:
        """Restore what :meth:`state` returned."""
        self._coins.load(state.coins)
        self._funding.load(state.funding)
        self._variance.load(state.variance)
        self._hour, self._sides = state.hour, state.sides
        self._jump, self._jumped_at = state.jump, state.jumped_at


def _mean(*ranks: float | None) -> float | None:
    known = [rank for rank in ranks if rank is not None]
    return sum(known) / len(known) if len(known) >= LEAST_READINGS else None
