"""How much the takers' balance varies of late, against the week: it shrinks before some cascades."""

from __future__ import annotations

from typing import Any, Final

SHORT_MINUTES: Final = 360
LONG_MINUTES: Final = 10_080
"""Six hours and seven days: the mean age of what the two averages hold."""
LEAST_MINUTES: Final = 1_440
"""Minutes before the ratio is told: a day."""


class TakerVariance:
    """Variance of a minute's signed taker flow over six hours, over that of seven days (F27 of the detection notes).

    A ratio of exponentially weighted variances by the minute, typically about 1. Below 1 in six of seven BTC cascades
    (Garcia Seuma 2026, preprint), over many events only: it is shown, and never gives a point or pages.

    Example:
        >>> from random import Random
        >>> draw, variance = Random(1).gauss, TakerVariance()
        >>> for minute in range(3000):
        ...     variance.minute(minute, draw(0.0, 1e6 if minute < 2400 else 2e5))
        >>> 0.1 < variance.ratio < 0.6
        True
    """

    __slots__ = ("_long", "_minute", "_minutes", "_short")

    def __init__(self) -> None:
        self._short = (0.0, 0.0)  # mean and variance
        self._long = (0.0, 0.0)
        self._minutes = 0
        self._minute = 0

    def minute(self, minute: int, signed_usd: float) -> None:
        """Take a minute's buys less sells by takers, USD. A minute counts once."""
        if minute <= self._minute and self._minutes:
            return
        self._minute = minute
        self._minutes += 1
        self._short = _average(self._short, signed_usd, max(1 / SHORT_MINUTES, 1 / self._minutes))
        self._long = _average(self._long, signed_usd, max(1 / LONG_MINUTES, 1 / self._minutes))

    @property
    def ratio(self) -> float | None:
        """Short over long variance; None before a day was seen."""
        known = self._minutes >= LEAST_MINUTES and self._long[1] > 0
        return self._short[1] / self._long[1] if known else None

    def state(self) -> list[object]:
        """What a snapshot keeps."""
        return [self._short, self._long, self._minutes, self._minute]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        self._short, self._long = (state[0][0], state[0][1]), (state[1][0], state[1][1])
        self._minutes, self._minute = state[2], state[3]


def _average(kept: tuple[float, float], value: float, gain: float) -> tuple[float, float]:
    mean, variance = kept
    off = value - mean
    return mean + gain * off, (1.0 - gain) * (variance + gain * off * off)
