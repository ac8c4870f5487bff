"""Labels after the fact, from the whole tape, by code that shares nothing with the detector (section 4.1).

An episode of a side is a maximal interval in which the price is a daily standard deviation or more from its best of the
last hour, intervals less than an hour apart merged, and in which forced flow or a falling open interest shows that
positions were closed. What a recording cannot test is said in each label.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.evaluate.markets.tape import Floats, Integers, Tape, grid
from monitor.evaluate.markets.truth import Label, Truth, in_order
from monitor.events import MICROS, SIDES, Side
from monitor.onset import flow_onset
from monitor.rolling import rolling_max, rolling_sums

MINUTE_US: Final = 60 * MICROS
MERGE_MIN: Final = 60
"""Intervals with a shorter gap are one episode, minutes."""
EVENT_SIGMA: Final = 1.0
NEAR_SIGMA: Final = 0.5
SEVERITIES: Final = (1.0, 1.75, 3.0)
"""Daily standard deviations from which on the severity is 1, 2 and 3."""
EVENT_BP: Final = 20.0
NEAR_BP: Final = 5.0
"""Forced within half an hour, basis points of the open interest."""
FORCED_US: Final = 30 * MINUTE_US
INTEREST_DROP: Final = -0.02
INTEREST_US: Final = 120 * MINUTE_US
ASSUMED_SIGMA: Final = 0.03
"""A day's standard deviation where fewer than three days can say (BTC 0.024, SOL 0.034, WIF 0.055)."""
REMAINING: Final = 0.02


class Legs(NamedTuple):
    """What the rule looks at, minute by minute, of one side.

    ``forced_bp`` and ``interest`` (change of the coins within two hours) are None where the tape cannot say.
    """

    at: Integers
    drop: Floats
    sigma: float
    forced_bp: Floats | None
    interest: Floats | None

    @property
    def untested(self) -> tuple[str, ...]:
        """Legs that this tape cannot test."""
        legs = {"forced flow": self.forced_bp, "open interest": self.interest}
        return tuple(name for name, leg in legs.items() if leg is None)


def labels_of(tape: Tape) -> list[Label]:
    """All labels of one asset, by onset."""
    found = []
    sigma = daily_sigma(tape)
    for start_us, end_us in tape.stretches():
        at = grid(start_us, end_us, 60)
        if not len(at):
            continue
        price = np.log(tape.price_at(at))
        for side in SIDES:
            found += _side(tape, side, _legs(tape, side, at, price, sigma))
    return in_order(found)


def daily_sigma(tape: Tape) -> float:
    """Median over days of the realised volatility of 5-minute returns; assumed where fewer than three days can say."""
    days = []
    for start_us, end_us in tape.stretches():
        at = grid(start_us, end_us, 300)
        squares = np.diff(np.log(tape.price_at(at))) ** 2
        day = at[1:] // (86_400 * MICROS)
        for one in np.unique(day):
            mine = squares[day == one]
            if len(mine) >= 144:  # half a day at least
                days.append(float(np.sqrt(mine.mean() * 288)))
    return float(np.median(days)) if len(days) >= 3 and np.median(days) > 0 else ASSUMED_SIGMA


def _legs(tape: Tape, side: Side, at: Integers, price: Floats, sigma: float) -> Legs:
    directed = price if side == "long" else -price
    drop = rolling_max(directed, 60) - directed
    coins, usd = tape.interest_at(at)
    times, micros = tape.forced(side)
    forced = interest = None
    if len(times) and np.isfinite(usd).any():
        with np.errstate(divide="ignore", invalid="ignore"):
            forced = 1e4 * rolling_sums(times, micros, at, FORCED_US) / MICROS / usd
    before, _ = tape.interest_at(at - INTEREST_US)
    if np.isfinite(before).any():
        with np.errstate(divide="ignore", invalid="ignore"):
            interest = coins / before - 1.0
    return Legs(at, drop, sigma, forced, interest)


def intervals(flags: npt.NDArray[np.bool_], merge: int) -> list[tuple[int, int]]:
    """First and last index of each run of true flags, runs with fewer than ``merge`` steps between them joined.

    Example:
        >>> intervals(np.array([0, 1, 1, 0, 0, 1, 0, 0, 0, 1], bool), 3)
        [(1, 5), (9, 9)]
    """
    true = np.flatnonzero(flags)
    if not len(true):
        return []
    breaks = np.flatnonzero(np.diff(true) > merge)
    firsts = np.concatenate((true[:1], true[breaks + 1]))
    lasts = np.concatenate((true[breaks], true[-1:]))
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _side(tape: Tape, side: Side, legs: Legs) -> list[Label]:
    found = []
    taken = np.zeros(len(legs.at), bool)
    for first, last in intervals(legs.drop >= EVENT_SIGMA * legs.sigma, MERGE_MIN):
        taken[max(0, first - MERGE_MIN) : last + MERGE_MIN] = True
        depth = float(legs.drop[first : last + 1].max()) / legs.sigma
        severity = sum(depth >= limit for limit in SEVERITIES)
        found.append(_label(tape, side, legs, first, last, _verdict(legs, first, last), severity))
    near = legs.drop >= NEAR_SIGMA * legs.sigma
    if legs.forced_bp is not None:
        near |= np.nan_to_num(legs.forced_bp) >= NEAR_BP
    found += [
        _label(tape, side, legs, first, last, "near_miss", 0)
        for first, last in intervals(near & ~taken, MERGE_MIN)
    ]  # fmt: skip
    return found


def _verdict(legs: Legs, first: int, last: int) -> Truth:
    """Whether positions were closed by force while the price moved."""
    flow = legs.forced_bp is not None and bool((legs.forced_bp[first : last + 31] >= EVENT_BP).any())
    left = legs.interest is not None and bool((legs.interest[first : last + 121] <= INTEREST_DROP).any())
    if flow or left:
        return "event"
    return "candidate" if legs.untested else "hard_negative"


def _label(tape: Tape, side: Side, legs: Legs, first: int, last: int, verdict: Truth, severity: int) -> Label:
    """The label of the interval of minutes, with its times to the second."""
    start_us = int(legs.at[max(0, first - 60)])
    seconds = grid(start_us, int(legs.at[last]), 1)
    directed = np.log(tape.price_at(seconds)) * (1.0 if side == "long" else -1.0)
    high, low = _ends(directed, int((legs.at[first] - start_us) // MICROS))
    drop = float(directed[high] - directed[low])
    end_us = int(legs.at[last])
    times, micros = tape.forced(side)
    begun, over = np.searchsorted(times, (seconds[high], end_us + INTEREST_US))
    times, micros = times[begun:over], micros[begun:over]
    pace = rolling_sums(times, micros, seconds, MINUTE_US)
    peak = low
    if len(times):
        peak = int(np.argmax(pace))
        end_us = max(_last_of(times, micros), int(seconds[low]))
    onset_us = int(seconds[flow_onset(directed, pace if len(times) else None, high, low)])
    return Label(
        type=verdict,
        asset=tape.asset,
        direction=side,
        onset_us=onset_us,
        flow_onset_us=onset_us,
        peak_us=int(seconds[peak]),
        extreme_us=int(seconds[low]),
        end_us=end_us,
        severity=severity,
        kind="rule",
        drawdown_pct=round(100.0 * abs(math.expm1(-drop if side == "long" else drop)), 4),
        forced_usd=int(micros.sum()) / MICROS,
        untested=legs.untested,
    )


def _ends(directed: Floats, begun: int) -> tuple[int, int]:
    """Where the drop begins and ends: the interval's low and the best price before it.

    Where a merged interval opened below what it fell from later, the deepest drop within an hour instead.
    """
    low = begun + int(np.argmin(directed[begun:]))
    high = int(np.argmax(directed[: low + 1]))
    drops = rolling_max(directed, 3_600) - directed
    deepest = int(np.argmax(drops))
    if directed[high] - directed[low] >= drops[deepest]:
        return high, low
    hour = max(0, deepest - 3_599)
    return hour + int(np.argmax(directed[hour : deepest + 1])), deepest


def _last_of(times: Integers, micros: Integers) -> int:
    """The first time after which less than :data:`REMAINING` of the forced notional is still to come."""
    left = micros.sum() - np.cumsum(micros)
    return int(times[np.argmax(left < REMAINING * micros.sum())])
