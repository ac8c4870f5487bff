"""Summaries: the reports of one asset to the market, one a second in which anything happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from monitor.detect.context.context_summary import ContextSummary
from monitor.detect.flow.corrected_totals import Minute
from monitor.model.events import Side
from monitor.model.sides import BySide
from monitor.model.signals import Phase

NONE: Final[Mapping[str, Any]] = {}


class Liquidated(NamedTuple):
    """One liquidation as the market sees it: its second, the position's side, micro-USD, and how it was reported."""

    second: int
    side: Side
    micros: int
    orders: int
    complete: bool
    aggregated: bool


class AssetSummary(NamedTuple):
    """One asset's second.

    Attributes:
        asset: which.
        second: the closed second.
        liquidations: those that arrived in it.
        price: its last mark, or what stands in for it.
        is_mark: whether the price is a mark; with the first one it begins anew.
        stressed: by side whether its flow or price is far from normal.
        phases: by side; calm where it is merely watched.
        venues: where its liquidations were seen.
        open_interest_usd: 0 where it is not known.
        hidden: by window what its saturated feeds hide, micro-USD by side.
        minute: at a minute's end what that minute hid.
        saturation: by venue; see :class:`monitor.model.signals.SignalCoverage`.
        context: at a minute's end what surrounds it.
    """

    asset: str
    second: int
    liquidations: tuple[Liquidated, ...]
    price: float | None
    is_mark: bool
    stressed: BySide[bool]
    phases: BySide[Phase]
    venues: tuple[str, ...]
    open_interest_usd: float = 0.0
    hidden: Mapping[str, tuple[int, int]] = NONE
    minute: Minute | None = None
    saturation: Mapping[str, float] = NONE
    context: ContextSummary | None = None


def silent_summary(asset: str, second: int) -> AssetSummary:
    """Return the summary of an asset that is no longer followed: calm, and nothing of it known."""
    return AssetSummary(
        asset=asset,
        second=second,
        liquidations=(),
        price=None,
        is_mark=False,
        stressed=BySide(long=False, short=False),
        phases=BySide(long="calm", short="calm"),
        venues=(),
    )
