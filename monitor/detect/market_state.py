"""State of the market from second to second, as a snapshot holds it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from monitor.detect.context.lead_lag import LeadLagState
from monitor.detect.context.market_context import MarketContextState
from monitor.detect.flow.corrected_totals import Minute
from monitor.detect.scope_state import ScopeSnapshot
from monitor.model.sides import BySide
from monitor.model.signals import Phase


class MarketState(msgspec.Struct):
    """State of the market besides its scope, its context and its lead.

    Attributes:
        leader: the asset whose price is the market's; empty before any leader has one.
        is_mark: whether that price is a mark.
        moved_at: the second of that price's last change; 0 before any.
        leader_phases: by leader the phase of each side.
        venues: where liquidations were seen, as keys in order of first sight.
        active_at: by asset the second of its last summary.
        stressed_at: by side and asset the second of its last stress.
        interest: open interest by asset, USD.
        hidden: by asset and window what saturated feeds hide, micro-USD by side.
        minutes: what the minute that ends hid, of each asset that reported it.
        saturation: by asset and venue the share of seconds with a report.
    """

    leader: str
    is_mark: bool
    moved_at: int
    leader_phases: dict[str, BySide[Phase]]
    venues: dict[str, None]
    active_at: dict[str, int]
    stressed_at: BySide[dict[str, int]]
    interest: dict[str, float]
    hidden: dict[str, Mapping[str, tuple[int, int]]]
    minutes: list[Minute]
    saturation: dict[str, Mapping[str, float]]


class MarketSnapshot(msgspec.Struct):
    """The market as a snapshot holds it."""

    state: MarketState
    scope: ScopeSnapshot
    lead: LeadLagState
    context: MarketContextState


def new_state() -> MarketState:
    """Return the state of a market whose assets reported nothing yet."""
    return MarketState(
        leader="",
        is_mark=False,
        moved_at=0,
        leader_phases={},
        venues={},
        active_at={},
        stressed_at=BySide({}, {}),
        interest={},
        hidden={},
        minutes=[],
        saturation={},
    )
