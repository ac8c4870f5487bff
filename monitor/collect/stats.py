"""What a session counts: plain integers on a slotted object, read by the metrics at scrape time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, get_args

from monitor.exchanges.messages import SkipReason
from monitor.model.events import (
    AnyEvent,
    Liquidation,
    MarkPrice,
    OpenInterest,
    RejectReason,
    Trade,
    TradeBar,
    VolatilityIndex,
    micro_usd,
)
from monitor.model.histogram import BucketCounter

EndReason = Literal[
    "dial_failed",  # no socket: DNS, TCP, TLS or the handshake
    "closed",  # the exchange or the network closed it
    "ack_timeout",  # a subscription was never acknowledged
    "refused",  # every subscription was refused
    "stale",  # a dense channel fell silent
    "unanswered",  # nothing came after our ping
    "oversized",  # a frame above the limit
    "overflow",  # the bus was full for longer than an exchange waits for its reader
    "notice",  # the exchange asked for a new socket
    "rotation",  # planned, before the exchange's limit on a socket's age
    "replan",  # the symbols changed
]
"""Why a socket ended or was replaced: the label of the reconnect counter."""

AGE_BOUNDS_US: Final = tuple(
    round(ms * 1000) for ms in (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000)
)
"""Upper bounds (inclusive) of the age histogram: from a colocated feed to one that is worthless."""

KIND_NAMES: Final[dict[type, str]] = {
    Liquidation: "liquidation",
    Trade: "trade",
    TradeBar: "trade_bar",
    MarkPrice: "mark_price",
    OpenInterest: "open_interest",
    VolatilityIndex: "volatility_index",
}
"""Kinds of market event that an adapter makes, by their record type."""


class SessionStats:
    """Counters of one connection since the start; they go on across reconnects and re-planning.

    Attributes:
        venue, connection: whose they are.
        frames, bytes: what was received.
        events: market events by record type, before bars are folded.
        liquidated_long_micro_usd, liquidated_short_micro_usd: liquidations by side, exact.
        rejects: by reason, all of them, published or not.
        skipped: rows that rightly make no event, by reason.
        refusals: subscriptions refused and errors reported by the exchange.
        acks_missing: acknowledgements that never came.
        acks_pending: acknowledgements waited for now.
        dials: attempts to open a socket.
        reconnects: sockets that ended or were replaced, by reason.
        gaps, gap_us: gaps published (once a connection, not once a channel) and their length.
        drains: how often reading stopped because the bus was full.
        overlap_duplicates: trades seen on both sockets of a rotation and passed once.
        crashes: how often the session itself failed (a bug) and was restarted.
        last_message_us: when a frame with market events was last received.
        connected: 1 while a socket is open and subscribed, else 0.
        ages: ages of the first event of each frame at its receipt, microseconds.
    """

    __slots__ = (
        "acks_missing",
        "acks_pending",
        "ages",
        "bytes",
        "connected",
        "connection",
        "crashes",
        "dials",
        "drains",
        "events",
        "frames",
        "gap_us",
        "gaps",
        "last_message_us",
        "liquidated_long_micro_usd",
        "liquidated_short_micro_usd",
        "overlap_duplicates",
        "reconnects",
        "refusals",
        "rejects",
        "skipped",
        "venue",
    )

    def __init__(self, venue: str, connection: str) -> None:
        self.venue = venue
        self.connection = connection
        self.frames = self.bytes = self.dials = self.drains = self.crashes = self.connected = 0
        self.liquidated_long_micro_usd = self.liquidated_short_micro_usd = 0
        self.refusals = self.acks_missing = self.acks_pending = 0
        self.gaps = self.gap_us = self.overlap_duplicates = 0
        self.last_message_us = 0
        self.events: dict[str, int] = dict.fromkeys(KIND_NAMES.values(), 0)
        self.rejects: dict[str, int] = dict.fromkeys(get_args(RejectReason), 0)
        self.skipped: dict[str, int] = dict.fromkeys(get_args(SkipReason), 0)
        self.reconnects: dict[str, int] = dict.fromkeys(get_args(EndReason), 0)
        self.ages = BucketCounter(AGE_BOUNDS_US)

    def count_event(self, event: AnyEvent) -> None:
        """Count one market event."""
        self.events[KIND_NAMES[type(event)]] += 1
        if type(event) is Liquidation:
            if event.side == "long":
                self.liquidated_long_micro_usd += micro_usd(event.notional_usd)
            else:
                self.liquidated_short_micro_usd += micro_usd(event.notional_usd)

    def add(self, other: SessionStats) -> None:
        """Add another connection's counters; the time of the last message is the later one."""
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last_message_us = max(self.last_message_us, other.last_message_us)
        for name in ("events", "rejects", "skipped", "reconnects"):
            mine: dict[str, int] = getattr(self, name)
            for key, count in getattr(other, name).items():
                mine[key] += count
        self.ages.add(other.ages)


_SUMS: Final = (
    "frames",
    "bytes",
    "liquidated_long_micro_usd",
    "liquidated_short_micro_usd",
    "refusals",
    "acks_missing",
    "acks_pending",
    "dials",
    "gaps",
    "gap_us",
    "drains",
    "overlap_duplicates",
    "crashes",
    "connected",
)


def total(venue: str, parts: Iterable[SessionStats]) -> SessionStats:
    """The sum over a venue's connections."""
    whole = SessionStats(venue, "*")
    for part in parts:
        whole.add(part)
    return whole
