"""Configured price levels: above, testing, broken or stale."""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.model.signals import LevelState

TESTING_SIGMA: Final = 0.5
"""Distance above a level up to which it is tested, in standard deviations of an hour's return."""
BROKEN_RATIO: Final = 0.001
"""Distance from a level, as a ratio of it, beyond which the price is on the other side."""
BROKEN_S: Final = 60
"""Seconds for which the price must stay on the other side before a level breaks, or is above again."""
STALE_SIGMA: Final = 2.0
"""Distance below a broken level from which it is stale, in standard deviations of a day's return."""
STALE_S: Final = 86_400
"""Seconds after which a broken level is stale: it supports nothing any more, and a distance to it misleads."""


class LevelSnapshot(msgspec.Struct, array_like=True):
    """Everything that :class:`Level` remembers.

    Attributes:
        price: of the level, USD.
        state: as signals show it.
        distance: of the price from the level, a ratio of it; negative below.
        broken: whether it is broken.
        broken_at: the second in which it broke; None if that was not observed.
        initialized: whether any price came.
        crossed: the second since which the price is on the other side; None while it is not.
    """

    price: float
    state: LevelState
    distance: float
    broken: bool
    broken_at: int | None
    initialized: bool
    crossed: int | None


class Level:
    """One level of support; see docs/semantics.md, "Levels".

    The price is ``above`` it, ``testing`` it (within half an hourly standard deviation), or the level is ``broken`` (a
    minute below it by more than 0.1 %) or ``stale`` (broken long ago, or far below). Prices in USD, distance a
    ratio of the level.

    Example:
        >>> level = Level(75_000.0)
        >>> for second, price in ((0, 78_000.0), (10, 75_100.0), (20, 74_800.0), (80, 74_500.0), (90, 65_640.0)):
        ...     level.update(second, price, sigma_1h=0.005, sigma_1d=0.024)
        ...     print(level.state, round(level.distance, 4))
        above 0.04
        testing 0.0013
        testing -0.0027
        broken -0.0067
        stale -0.1248
        >>> level.broken_at
        80
    """

    __slots__ = ("_crossed", "_initialized", "broken", "broken_at", "distance", "price", "state")

    def __init__(self, price: float) -> None:
        self.price = price
        self.state: LevelState = "above"
        self.distance = 0.0  # of the price from the level; negative below
        self.broken = False
        self.broken_at: int | None = None  # None if the break was not observed: the price was below from the start
        self._initialized = False
        self._crossed: int | None = None  # the second since which the price is clearly on the other side

    def update(self, second: int, price: float, sigma_1h: float, sigma_1d: float) -> None:
        """Take the price of a second; the deviations are ratios."""
        self.distance = price / self.price - 1.0
        if not self._initialized:
            self._initialized = True
            self.broken = self.distance < -BROKEN_RATIO
        across = self.distance > BROKEN_RATIO if self.broken else self.distance < -BROKEN_RATIO
        if not across:
            self._crossed = None
        elif self._crossed is None:
            self._crossed = second
        if self._crossed is not None and second - self._crossed >= BROKEN_S:
            self.broken = not self.broken
            self.broken_at = second if self.broken else None
            self._crossed = None
        self.state = self._state(second, sigma_1h, sigma_1d)

    def _state(self, second: int, sigma_1h: float, sigma_1d: float) -> LevelState:
        if self.broken:
            long_ago = self.broken_at is not None and second - self.broken_at >= STALE_S
            return "stale" if long_ago or self.distance <= -STALE_SIGMA * sigma_1d else "broken"
        # While the price is below a level for less than a minute, the level is still tested, however far below.
        return "testing" if self.distance <= TESTING_SIGMA * sigma_1h else "above"

    def snapshot(self) -> LevelSnapshot:
        """Return what a snapshot stores."""
        return LevelSnapshot(
            price=self.price,
            state=self.state,
            distance=self.distance,
            broken=self.broken,
            broken_at=self.broken_at,
            initialized=self._initialized,
            crossed=self._crossed,
        )

    @classmethod
    def restore(cls, snapshot: LevelSnapshot) -> Level:
        """Return the level that :meth:`snapshot` described."""
        self = cls(snapshot.price)
        self.state, self.distance = snapshot.state, snapshot.distance
        self.broken, self.broken_at = snapshot.broken, snapshot.broken_at
        self._initialized, self._crossed = snapshot.initialized, snapshot.crossed
        return self
