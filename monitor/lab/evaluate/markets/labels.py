"""Labels the episodes of a recording after the fact, from the whole tape and without any code of the detector.

An episode of a side is a maximal interval in which the price is one daily standard deviation or more from its best
price of the last hour, with intervals less than an hour apart merged, and in which forced flow or falling open interest
shows that positions were closed. Each label names the parts of the rule that the recording cannot test.
``docs/scorecard.md`` describes the rule.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.lab.evaluate.markets.tape import Floats, Integers, Tape, grid
from monitor.lab.evaluate.markets.truth import Label, Truth, sort_labels
from monitor.lab.onset import flow_onset
from monitor.lab.rolling import rolling_max, rolling_sums
from monitor.model.events import MICROS, SIDES, Side

MINUTE_US: Final = 60 * MICROS
MERGE_MIN: Final = 60
"""Intervals with a shorter gap are one episode, minutes."""
EVENT_SIGMA: Final = 1.0
"""Drop from the best price of the hour that makes an event, in daily standard deviations."""
NEAR_SIGMA: Final = 0.5
"""Drop from the best price of the hour that makes a near-miss, in daily standard deviations."""
SEVERITIES: Final = (1.0, 1.75, 3.0)
"""Depths at which severity 1, 2 and 3 begin, in daily standard deviations."""
EVENT_BP: Final = 20.0
"""Forced flow of half an hour that makes an event, in basis points of the open interest."""
NEAR_BP: Final = 5.0
"""Forced flow of half an hour that makes a near-miss, in basis points of the open interest."""
FORCED_US: Final = 30 * MINUTE_US
"""Window of the forced flow, microseconds."""
INTEREST_DROP: Final = -0.02
"""Change of open interest in coins within two hours that makes an event."""
INTEREST_US: Final = 120 * MINUTE_US
"""Window of the change of open interest, microseconds."""
ASSUMED_SIGMA: Final = 0.03
"""Daily standard deviation where fewer than three days are known (BTC 0.024, SOL 0.034, WIF 0.055)."""
REMAINING: Final = 0.02
"""Share of the forced notional that is still to come at the end of an episode."""


class Legs(NamedTuple):
    """The quantities that the rule tests for one side, minute by minute.

    ``forced_bp`` and ``interest`` (change of the coins within two hours) are None where the tape does not have them.
    """

    at: Integers
    drop: Floats
    sigma: float
    forced_bp: Floats | None
    interest: Floats | None

    @property
    def untested(self) -> tuple[str, ...]:
        """Return the names of the legs that this tape cannot test."""
        legs = {"forced flow": self.forced_bp, "open interest": self.interest}
        return tuple(name for name, leg in legs.items() if leg is None)


def label_episodes(tape: Tape) -> list[Label]:
    """Return all labels of one asset, by onset."""
    found = []
    sigma = daily_sigma(tape)
    for start_us, end_us in tape.stretches():
        at = grid(start_us, end_us, 60)
        if not len(at):
            continue
        price = np.log(tape.price_at(at))
        for side in SIDES:
            found += _label_side(tape, side, _legs(tape, side, at, price, sigma))
    return sort_labels(found)


def daily_sigma(tape: Tape) -> float:
    """Return the median over days of the realised volatility of 5-minute returns.

    Where fewer than three days are known, it is :data:`ASSUMED_SIGMA`.
    """
    days = []
    for start_us, end_us in tape.stretches():
        at = grid(start_us, end_us, 300)
        squares = np.diff(np.log(tape.price_at(at))) ** 2
        day = at[1:] // (86_400 * MICROS)
        for one in np.unique(day):
            mine = squares[day == one]
            if len(mine) >= 144:  # at least half a day
                days.append(float(np.sqrt(mine.mean() * 288)))
    return float(np.median(days)) if len(days) >= 3 and np.median(days) > 0 else ASSUMED_SIGMA


def _legs(tape: Tape, side: Side, at: Integers, price: Floats, sigma: float) -> Legs:
    """Return the quantities that the rule tests for one side of a stretch."""
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


def merge_runs(flags: npt.NDArray[np.bool_], merge: int) -> list[tuple[int, int]]:
    """Return first and last index of each run of true flags.

    Runs with fewer than ``merge`` steps between them are joined.

    Example:
        >>> merge_runs(np.array([0, 1, 1, 0, 0, 1, 0, 0, 0, 1], bool), 3)
        [(1, 5), (9, 9)]
    """
    true = np.flatnonzero(flags)
    if not len(true):
        return []
    breaks = np.flatnonzero(np.diff(true) > merge)
    firsts = np.concatenate((true[:1], true[breaks + 1]))
    lasts = np.concatenate((true[breaks], true[-1:]))
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _label_side(tape: Tape, side: Side, legs: Legs) -> list[Label]:
    """Return the labels of one side of a stretch: intervals of large drops, and near-misses elsewhere."""
    found = []
    taken = np.zeros(len(legs.at), bool)
    for first, last in merge_runs(legs.drop >= EVENT_SIGMA * legs.sigma, MERGE_MIN):
        taken[max(0, first - MERGE_MIN) : last + MERGE_MIN] = True
        depth = float(legs.drop[first : last + 1].max()) / legs.sigma
        severity = sum(depth >= limit for limit in SEVERITIES)
        found.append(_label(tape, side, legs, first, last, _classify(legs, first, last), severity))
    near = legs.drop >= NEAR_SIGMA * legs.sigma
    if legs.forced_bp is not None:
        near |= np.nan_to_num(legs.forced_bp) >= NEAR_BP
    found += [
        _label(tape, side, legs, first, last, "near_miss", 0) for first, last in merge_runs(near & ~taken, MERGE_MIN)
    ]
    return found


def _classify(legs: Legs, first: int, last: int) -> Truth:
    """Return the type of an episode: an event if forced flow or open interest shows forced closing."""
    flow = legs.forced_bp is not None and bool((legs.forced_bp[first : last + 31] >= EVENT_BP).any())
    left = legs.interest is not None and bool((legs.interest[first : last + 121] <= INTEREST_DROP).any())
    if flow or left:
        return "event"
    return "candidate" if legs.untested else "hard_negative"


def _label(tape: Tape, side: Side, legs: Legs, first: int, last: int, verdict: Truth, severity: int) -> Label:
    """Return the label of an interval of minutes, with its times to the second."""
    start_us = int(legs.at[max(0, first - 60)])
    seconds = grid(start_us, int(legs.at[last]), 1)
    directed = np.log(tape.price_at(seconds)) * (1.0 if side == "long" else -1.0)
    high, low = _drop_bounds(directed, int((legs.at[first] - start_us) // MICROS))
    drop = float(directed[high] - directed[low])
    end_us = int(legs.at[last])
    times, micros = tape.forced(side)
    begun, over = np.searchsorted(times, (seconds[high], end_us + INTEREST_US))
    times, micros = times[begun:over], micros[begun:over]
    pace = rolling_sums(times, micros, seconds, MINUTE_US)
    peak = low
    if len(times):
        peak = int(np.argmax(pace))
        end_us = max(_end_of_flow(times, micros), int(seconds[low]))
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


def _drop_bounds(directed: Floats, begun: int) -> tuple[int, int]:
    """Return the indices at which the drop begins and ends: the best price before the interval's low, and that low.

    Where a merged interval opens below the price from which it falls later, they are those of the deepest drop within
    an hour.
    """
    low = begun + int(np.argmin(directed[begun:]))
    high = int(np.argmax(directed[: low + 1]))
    drops = rolling_max(directed, 3_600) - directed
    deepest = int(np.argmax(drops))
    if directed[high] - directed[low] >= drops[deepest]:
        return high, low
    hour = max(0, deepest - 3_599)
    return hour + int(np.argmax(directed[hour : deepest + 1])), deepest


def _end_of_flow(times: Integers, micros: Integers) -> int:
    """Return the first time after which less than :data:`REMAINING` of the forced notional is still to come."""
    left = micros.sum() - np.cumsum(micros)
    return int(times[np.argmax(left < REMAINING * micros.sum())])
