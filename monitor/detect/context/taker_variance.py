"""Recent variance of the takers' balance against that of the week: it shrinks before some cascades."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

SHORT_MINUTES: Final = 360
"""Mean age of what the short average holds, minutes: six hours."""
LONG_MINUTES: Final = 10_080
"""Mean age of what the long average holds, minutes: seven days."""
LEAST_MINUTES: Final = 1_440
"""Minimum number of minutes for a ratio: a day."""


class Moments(NamedTuple):
    """Exponentially weighted mean and variance of a minute's signed taker flow, USD and USD squared."""

    mean: float
    variance: float


class TakerVarianceState(msgspec.Struct, array_like=True):
    """Everything that :class:`TakerVariance` remembers: both averages, minutes counted, and the last minute."""

    short: Moments
    long: Moments
    minutes: int
    minute: int


class TakerVariance:
    """Variance of a minute's signed taker flow over six hours, divided by that over seven days.

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
        self._short = Moments(0.0, 0.0)
        self._long = Moments(0.0, 0.0)
        self._minutes = 0  # how many were counted
        self._minute = 0  # the last one, numbered since the epoch

    def minute(self, minute: int, signed_usd: float) -> None:
        """Take buys less sells by takers within a minute, USD; a minute counts once."""
        if minute <= self._minute and self._minutes:
            return
        self._minute = minute
        self._minutes += 1
        self._short = _average(self._short, signed_usd, max(1 / SHORT_MINUTES, 1 / self._minutes))
        self._long = _average(self._long, signed_usd, max(1 / LONG_MINUTES, 1 / self._minutes))

    @property
    def ratio(self) -> float | None:
        """Return the short variance over the long one; None before a day was seen."""
        is_known = self._minutes >= LEAST_MINUTES and self._long.variance > 0
        return self._short.variance / self._long.variance if is_known else None

    def state(self) -> TakerVarianceState:
        """Return what a snapshot stores."""
        return TakerVarianceState(short=self._short, long=self._long, minutes=self._minutes, minute=self._minute)

    def load(self, state: TakerVarianceState) -> None:
        """Restore what :meth:`state` returned."""
        self._short, self._long = state.short, state.long
        self._minutes, self._minute = state.minutes, state.minute


def _average(moments: Moments, value: float, gain: float) -> Moments:
    off = value - moments.mean
    return Moments(moments.mean + gain * off, (1.0 - gain) * (moments.variance + gain * off * off))
