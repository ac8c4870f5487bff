"""State of an asset from second to second, as a snapshot holds it."""

from __future__ import annotations

import msgspec

from monitor.detect.asset_summary import Liquidated
from monitor.detect.context.context import ContextSnapshot
from monitor.detect.flow.taker_volume import TakerVolumeSnapshot
from monitor.detect.flow.throttled_feeds import FeedState
from monitor.detect.ingest.dedup import SeenState
from monitor.detect.scope_state import ScopeSnapshot
from monitor.model.events import Coverage
from monitor.model.sides import BySide
from monitor.model.signals import Phase


class AssetState(msgspec.Struct):
    """State of an asset besides its scope, its context, its taker volume and its throttled feeds.

    Attributes:
        opened: the second that events fall into.
        is_marked: whether a mark price ever came; until then executed prices stand in for it.
        coverages: by venue how much of the truth its feed shows.
        unreported: liquidations that no summary for the market holds yet.
        reported_phases: by side the phase in the last summary.
        reported_hidden: whether the last summary reported anything hidden.
    """

    opened: int
    is_marked: bool
    coverages: dict[str, Coverage]
    unreported: list[Liquidated]
    reported_phases: BySide[Phase]
    reported_hidden: bool


class ThrottleSnapshot(msgspec.Struct):
    """A throttled feed as a snapshot holds it."""

    venue: str
    symbol: str
    feed: FeedState


class AssetSnapshot(msgspec.Struct):
    """An asset as a snapshot holds it."""

    state: AssetState
    scope: ScopeSnapshot
    seen: SeenState
    volume: TakerVolumeSnapshot
    context: ContextSnapshot
    throttles: list[ThrottleSnapshot]


def new_state() -> AssetState:
    """Return the state of an asset that nothing is known of yet."""
    return AssetState(
        opened=0,
        is_marked=False,
        coverages={},
        unreported=[],
        reported_phases=BySide("calm", "calm"),
        reported_hidden=False,
    )
