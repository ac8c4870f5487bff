"""Price levels that somebody watches: held, tested, broken, or long left behind."""

from __future__ import annotations

from typing import Any, Final

from monitor.model.events import LevelState

TESTING_SIGMA: Final = 0.5
"""A level is tested within this many standard deviations of an hour's return."""
BROKEN_RATIO: Final = 0.001
"""Below a level means by more than this; the same above it before it counts as won back ..."""
BROKEN_S: Final = 60
"""... for so many seconds."""
STALE_SIGMA: Final = 2.0
"""A broken level is stale when the price is this many standard deviations of a day's return below it ..."""
STALE_S: Final = 86_400
"""... or has been for this many seconds: it supports nothing any more, and a distance to it misleads."""


class Level:
    """One level of support (F23 of the detection notes).

    ``above`` it, ``testing`` (within half an hourly standard deviation), ``broken`` (a minute below it by more than
    0.1 %) or ``stale`` (broken, and the price has long left). Prices in USD, distance a ratio of the level.

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

    __slots__ = ("_crossed", "_looked", "broken", "broken_at", "distance", "price", "state")

    def __init__(self, price: float) -> None:
        self.price = price
        self.state: LevelState = "above"
        self.distance = 0.0  # of the price from the level; negative below
        self.broken = False
        self.broken_at: int | None = None  # None where it was not seen to break: the price was below from the start
        self._looked = False
        self._crossed: int | None = None  # second since when the price is clearly on the other side

    def update(self, second: int, price: float, sigma_1h: float, sigma_1d: float) -> None:
        """Take the price of a second; the deviations are ratios."""
        self.distance = price / self.price - 1.0
        if not self._looked:
            self._looked = True
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
        # Below a level for less than a minute it is still tested, however far.
        return "testing" if self.distance <= TESTING_SIGMA * sigma_1h else "above"

    def kept(self) -> list[object]:
        """What a snapshot keeps."""
        return [self.price, self.state, self.distance, self.broken, self.broken_at, self._looked, self._crossed]

    @classmethod
    def restore(cls, kept: list[Any]) -> Level:
        """The level that :meth:`kept` described."""
        self = cls(kept[0])
        self.state, self.distance, self.broken, self.broken_at, self._looked, self._crossed = kept[1:]
        return self
