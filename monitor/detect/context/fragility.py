"""How loaded an asset is before anything happens: slow readings against their own thirty days."""

from __future__ import annotations

from typing import Any, Final

from monitor.detect.context.sampled_history import Trail
from monitor.model.events import Side

SLOT_S: Final = 3_600
DAY_30_S: Final = 2_592_000
LEAST_SAMPLES: Final = 168
"""Of 720 in thirty days: a week, before a rank says anything."""
LEAST_READINGS: Final = 2
"""One reading alone is no fragility: open interest in coins also grows with an asset's fame."""
FRAGILE: Final = 0.9
"""From here on the readings are on average in their highest tenth."""


JUMP: Final = 3.0
"""Decades from which on a day's rise of implied volatility is a reason to watch a fragile side ..."""
PRIMED_S: Final = 3_600
"""... for so many seconds after it began, as is a level for as long after it broke."""


class Ranked:
    """Where a value stands among an hourly sample of thirty days: 0 below all, 1 above all, ties in the middle.

    Example:
        >>> ranked = Ranked()
        >>> for hour in range(200):
        ...     ranked.add(3_600 * hour, float(hour % 100))
        >>> ranked.of(99.0), ranked.of(-1.0), ranked.of(49.5)
        (0.995, 0.0, 0.5)
    """

    __slots__ = ("_trail",)

    def __init__(self) -> None:
        self._trail = Trail(SLOT_S, DAY_30_S)

    def add(self, second: int, value: float) -> None:
        """Take a value; the first of an hour is kept."""
        self._trail.add(second, value, 0)

    def of(self, value: float) -> float | None:
        """The share of the sample below ``value``; None before a week was seen."""
        values = self._trail.values
        if len(values) < LEAST_SAMPLES:
            return None
        return (sum(each < value for each in values) + 0.5 * values.count(value)) / len(values)

    def state(self) -> list[bytes]:
        """What a snapshot keeps."""
        return self._trail.state()

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._trail.load(state)


class Fragility:
    """Mean rank of open interest in coins, of funding and of the compression of takers' variance (F13, F16, F27).

    Unit: 0 to 1, each reading against the asset's own thirty days. Open interest says how much there is to liquidate,
    funding which side is crowded (longs pay where it is high), and a variance of takers' flow that shrinks came before
    six of seven BTC cascades (Garcia Seuma 2026, preprint; over many events only). Typical: 0.5, above 0.9 seldom. It
    is no forecast: no early warning held across all events of that study. New once an hour, which is what it costs.
    A fragile side whose asset's level breaks or implied volatility jumps is primed: it builds, and nobody is paged.

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
        self._hour = 0  # that the ranks are of
        self._sides: tuple[float | None, float | None] = (None, None)
        self._jump = 0.0  # decades of implied volatility's rise when last told
        self._jumped_at = 0

    def minute(self, second: int, *, coins: float | None, funding: float | None, variance: float | None) -> None:
        """Rank the readings of an hour's first minute that has any, None for those not known, and remember them."""
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

    def jumped(self, second: int, decades: float) -> None:
        """Take by how much implied volatility surprises; what counts is when it begins to."""
        if decades >= JUMP > self._jump:
            self._jumped_at = second
        self._jump = decades

    def primed(self, side: Side, second: int, broken_at: int) -> int:
        """When a level broke (0 for never) or volatility jumped within the hour while the side is fragile, else 0."""
        if (self.of(side) or 0.0) < FRAGILE:
            return 0
        at = max(broken_at if side == "long" else 0, self._jumped_at)
        return at if at and second - at < PRIMED_S else 0

    @property
    def sides(self) -> tuple[float | None, float | None]:
        """That of longs and of shorts."""
        return self._sides

    def of(self, side: Side) -> float | None:
        """How fragile a side is as of this hour, 0 to 1; None where fewer than two readings are known."""
        return self._sides[0 if side == "long" else 1]

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        return [
            self._coins.state(), self._funding.state(), self._variance.state(), self._hour, self._sides,
            self._jump, self._jumped_at,
        ]  # fmt: skip

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        for ranked, kept in zip((self._coins, self._funding, self._variance), state[:3], strict=True):
            ranked.load(kept)
        self._hour, self._sides = state[3], (state[4][0], state[4][1])
        self._jump, self._jumped_at = state[5:]


def _mean(*ranks: float | None) -> float | None:
    known = [rank for rank in ranks if rank is not None]
    return sum(known) / len(known) if len(known) >= LEAST_READINGS else None
