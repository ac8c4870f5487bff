"""Finds what really happened: cascades by the exact rule, near misses, and what only looks like a cascade.

E is how far forced orders moved the price against the liquidated side: the price with feedback off less the price with
feedback on, from the same noise. A cascade is where E rises by :data:`RISE` standard deviations of a day within half an
hour while :data:`FORCED` of the open interest is liquidated within ten minutes (``docs/simulator.md``).
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.lab.onset import flow_onset
from monitor.lab.simulate.world.market import AssetMarket
from monitor.model.events import MICROS, SIDES, Side

Floats = npt.NDArray[np.float64]

RISE: Final = 0.4
"""Rise of E within half an hour that makes a cascade, in daily standard deviations."""
FORCED: Final = 0.01
"""Share of the open interest liquidated within ten minutes that makes a cascade."""
NEAR: Final = 0.5
"""Share of both limits that makes a near miss, which counts neither as found nor as a false alarm."""
STEP_S: Final = 10
RISE_S: Final = 1_800
FORCED_S: Final = 600
MERGE_S: Final = 3_600
"""Hits of the rule less than this apart are one event, seconds."""
ONSET: Final = 0.1
"""Share of its whole rise that E has risen by at the onset."""
REMAINING: Final = 0.02
"""Share of the forced orders still to come at the end."""
SEVERITIES: Final = (1.75, 3.0)
"""Total moves at which severity 2 and 3 begin, in daily standard deviations."""
WAVE_S: Final = 86_400
"""A second wave follows another event of the same asset and side within this time, seconds."""
FLASH_S: Final = 180
"""Half of a flash cascade's forced orders come within this time after its onset, seconds; a grind's take longer."""

Kind = Literal["flash", "grind", "squeeze", "second_wave"]


class Episode(msgspec.Struct, tag_field="type", tag="event"):
    """A cascade; ``docs/simulator.md`` defines the fields.

    Attributes:
        asset: canonical base asset.
        direction: side whose positions were liquidated.
        severity: 1, 2 or 3 by the total move.
        kind: the first that applies of second_wave, squeeze (shorts), flash, grind.
        flash: True if half of the forced orders came within three minutes.
        wave: 1, or more where it follows another within a day.
        onset_us: E at a tenth of its rise.
        flow_onset_us: onset of its flow, by the rule that labels of recordings use (:mod:`monitor.lab.onset`).
        met_us: end of the first ten seconds in which the rule holds; before, not even E and every forced order show it.
        peak_us: end of the worst minute of forced flow.
        extreme_us: time of the price's low or high.
        end_us: time at which 98 % of the forced orders are done.
        drawdown_pct: total move against the side, percent.
        endogenous_pct: part of it that forced orders made, percent.
        forced_usd: all forced orders of that side from onset to end, shown or not.
        forced_of_oi: the same as a share of the usual open interest.
    """

    asset: str
    direction: Side
    severity: int
    kind: Kind
    flash: bool
    wave: int
    onset_us: int
    flow_onset_us: int
    met_us: int
    peak_us: int
    extreme_us: int
    end_us: int
    drawdown_pct: float
    endogenous_pct: float
    forced_usd: float
    forced_of_oi: float


class NearMiss(Episode, tag_field="type", tag="near_miss"):
    """Half of a cascade by the same rule; the same fields."""


class Decoy(msgspec.Struct, tag_field="type", tag="decoy"):
    """An event that is no cascade: ``kind`` is whale, bad_price, depeg, volatility_spell or outage.

    ``asset`` is ``*`` where it concerns all, ``venue`` where one venue has it. ``size`` is USD of a whale, the
    deviation of a price, the factor of a spell; ``detail`` of an outage is ``gap`` or ``freeze``.
    """

    kind: Literal["whale", "bad_price", "depeg", "volatility_spell", "outage"]
    asset: str
    venue: str
    onset_us: int
    end_us: int
    size: float
    direction: Side | None = None
    detail: str = ""


class _Side(NamedTuple):
    """One side of one asset: E and the log price's fall against it by second, and forced USD of each second."""

    endogenous: Floats
    against: Floats
    forced: Floats


def episodes(market: AssetMarket, start_us: int) -> list[Episode]:
    """Return cascades and near misses of one asset, by onset."""
    found: list[Episode] = []
    for index, side in enumerate(SIDES):
        sign = -1.0 if side == "long" else 1.0
        forced = np.zeros(len(market.log_price))
        seconds, micros = market.forced_usd(index)
        forced[seconds] = micros / MICROS
        view = _Side(sign * market.endogenous.astype(np.float64), sign * market.log_price.astype(np.float64), forced)
        full = _stretches(market, view, 1.0)
        half = [
            stretch for stretch in _stretches(market, view, NEAR) if not any(_are_close(stretch, one) for one in full)
        ]
        last_us, wave = -WAVE_S * MICROS, 0
        for first, last in full:
            fields = _describe(market, side, view, first, last, start_us)
            wave = wave + 1 if fields["onset_us"] - last_us < WAVE_S * MICROS else 1
            last_us = fields["end_us"]
            found.append(Episode(wave=wave, kind=_kind(side, wave, fields["flash"]), **fields))
        for first, last in half:
            fields = _describe(market, side, view, first, last, start_us)
            found.append(NearMiss(wave=1, kind=_kind(side, 1, fields["flash"]), **fields))
    return sorted(found, key=lambda episode: (episode.onset_us, episode.direction))


def _kind(side: Side, wave: int, flash: bool) -> Kind:
    if wave > 1:
        return "second_wave"
    if side == "short":
        return "squeeze"
    return "flash" if flash else "grind"


def _stretches(market: AssetMarket, view: _Side, share: float) -> list[tuple[int, int]]:
    """Return seconds of first and last hit of the rule, scaled by ``share``; hits close together are one."""
    level = view.endogenous[::STEP_S]
    window = RISE_S // STEP_S
    padded = np.concatenate((np.full(window, level[0]), level))
    lowest = np.lib.stride_tricks.sliding_window_view(padded, window + 1).min(axis=1)
    total = np.concatenate(([0.0], np.cumsum(view.forced.reshape(-1, STEP_S).sum(axis=1))))
    recent = total[1:] - total[np.maximum(0, np.arange(1, len(total)) - FORCED_S // STEP_S)]
    hit = (level - lowest >= share * RISE * market.spec.sigma_d) & (
        recent >= share * FORCED * market.spec.open_interest_usd
    )
    at = np.flatnonzero(hit) * STEP_S
    if not len(at):
        return []
    breaks = np.flatnonzero(np.diff(at) >= MERGE_S)
    firsts = at[np.concatenate(([0], breaks + 1))].tolist()
    lasts = at[np.concatenate((breaks, [len(at) - 1]))].tolist()
    return list(zip(firsts, lasts, strict=True))


def _are_close(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return True if two stretches are less than an hour apart."""
    return one[0] < other[1] + MERGE_S and other[0] < one[1] + MERGE_S


def _describe(market: AssetMarket, side: Side, view: _Side, first: int, last: int, start_us: int) -> dict:  # type: ignore[type-arg]
    """Return the fields of the event whose rule is met from second ``first`` to ``last``."""
    before = max(0, first - RISE_S)
    lowest = before + int(np.argmin(view.endogenous[before : first + 1]))
    highest = lowest + int(np.argmax(view.endogenous[lowest : last + FORCED_S + 1]))
    rise = float(view.endogenous[highest] - view.endogenous[lowest])
    risen = view.endogenous[lowest : highest + 1] >= view.endogenous[lowest] + ONSET * rise
    onset = lowest + int(np.argmax(risen))
    tail = min(len(view.forced), last + RISE_S)
    done = np.cumsum(view.forced[onset:tail])
    end = onset + int(np.searchsorted(done, (1 - REMAINING) * done[-1]))
    extreme = onset + int(np.argmax(view.against[onset : end + FORCED_S + 1]))
    best = max(0, onset - 3_600)
    best += int(np.argmin(view.against[best : onset + 1]))
    move = float(view.against[extreme] - view.against[best])
    course = slice(best, max(end, extreme) + 1)
    flow = best + flow_onset(-view.against[course], _by_minute(view.forced[course]), 0, extreme - best)
    forced = float(view.forced[onset : end + 1].sum())
    half = onset + int(np.searchsorted(done, done[-1] / 2))
    deviations = move / market.spec.sigma_d
    return {
        "asset": market.spec.name,
        "direction": side,
        "severity": 1 + sum(deviations >= limit for limit in SEVERITIES),
        "flash": half - onset <= FLASH_S,
        "onset_us": start_us + onset * MICROS,
        "flow_onset_us": start_us + flow * MICROS,
        "met_us": start_us + (first + STEP_S) * MICROS,
        "peak_us": start_us + (onset + int(np.argmax(_by_minute(view.forced[onset : end + 1]))) + 1) * MICROS,
        "extreme_us": start_us + extreme * MICROS,
        "end_us": start_us + (end + 1) * MICROS,
        "drawdown_pct": round(_percent(side, move), 4),
        "endogenous_pct": round(_percent(side, rise), 4),
        "forced_usd": round(forced, 2),
        "forced_of_oi": round(forced / market.spec.open_interest_usd, 6),
    }


def _by_minute(forced: Floats) -> Floats:
    """Return what was forced in the minute that ends with each second."""
    return np.convolve(forced, np.ones(60))[: len(forced)]


def _percent(side: Side, against: float) -> float:
    return 100 * (-math.expm1(-against) if side == "long" else math.expm1(against))
