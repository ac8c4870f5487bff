"""Defines the topics: names, retention, and the records that go to each. Records are keyed by asset."""

from __future__ import annotations

from typing import Final, NamedTuple

from monitor.model.events import (
    Gap,
    Heartbeat,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Reject,
    Trade,
    TradeBar,
    VolatilityIndex,
)
from monitor.model.signals import Closed, Signal

Record = (
    Liquidation
    | Trade
    | TradeBar
    | MarkPrice
    | OpenInterest
    | VolatilityIndex
    | Gap
    | Heartbeat
    | Reject
    | Signal
    | Closed
)

DAY_MS: Final = 86_400_000


class Topic(NamedTuple):
    """One topic; ``retention_ms`` of None means compacted, ``partitions`` of None as many as the settings define."""

    name: str
    schema: str
    retention_ms: int | None
    partitions: int | None = None


LIQUIDATIONS: Final = Topic("market.liquidations.v1", "liquidation.v1", 30 * DAY_MS)
TRADES: Final = Topic("market.trades.v1", "trade.v1", 1 * DAY_MS)
STATE: Final = Topic("market.state.v1", "state.v1", 30 * DAY_MS)
FEEDS: Final = Topic("market.feeds.v1", "feed.v1", 30 * DAY_MS)
REJECTS: Final = Topic("market.rejects.v1", "reject.v1", 7 * DAY_MS)
SIGNALS: Final = Topic("cascade.signals.v1", "signal.v1", 90 * DAY_MS)
CASCADE_STATE: Final = Topic("cascade.state.v1", "signal.v1", None)
SNAPSHOTS: Final = Topic("cascade.snapshots.v1", "snapshot.v1", None)
SUMMARIES: Final = Topic("cascade.summaries.v1", "closed.v1", 1 * DAY_MS, partitions=1)
"""Summaries that each partition's detector sends to the one that judges the market."""

TOPICS: Final = (LIQUIDATIONS, TRADES, STATE, FEEDS, REJECTS, SIGNALS, CASCADE_STATE, SNAPSHOTS, SUMMARIES)
MARKET_TOPICS: Final = (LIQUIDATIONS, TRADES, STATE, FEEDS)
"""The topics that a detector reads."""


PARTITIONS: Final = 24
"""Default number of partitions, divisible by 2, 3, 4, 6, 8 and 12; increasing it later moves keys between them."""

ROUTES: Final[dict[type, tuple[Topic, ...]]] = {
    Liquidation: (LIQUIDATIONS,),
    Trade: (TRADES,),
    TradeBar: (TRADES,),
    MarkPrice: (STATE,),
    OpenInterest: (STATE,),
    VolatilityIndex: (STATE,),
    Gap: (FEEDS,),
    Heartbeat: (FEEDS,),
    Reject: (REJECTS,),
    Signal: (SIGNALS, CASCADE_STATE),
}

WATERMARKED: Final = (LIQUIDATIONS, TRADES, STATE)
"""Topics that, between processes, also carry a venue's heartbeats, so that a reader of several topics knows up to when
each is complete (:mod:`monitor.bus.merge`)."""


def state_key(signal: Signal) -> bytes:
    """Return the key of a signal in :data:`CASCADE_STATE`: asset and side, because both sides may have an episode.

    Its partition is that of the asset. Earlier versions used the asset alone.
    """
    return f"{signal.asset}|{signal.direction}".encode()
