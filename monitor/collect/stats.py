"""Defines a session's counters: plain integers on a slotted object, which the metrics read at scrape time."""

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
    "dial_failed",  # no socket: DNS, TCP, TLS or handshake failed
    "closed",  # closed by the exchange or the network
    "ack_timeout",  # a subscription was not acknowledged in time
    "refused",  # every subscription was refused
    "stale",  # no event on any dense channel
    "unanswered",  # no frame after our ping
    "oversized",  # a frame above the size limit
    "overflow",  # the bus was full for longer than an exchange waits for a slow reader
    "notice",  # the exchange announced a disconnect
    "rotation",  # planned, before the exchange's limit on a socket's age
    "replan",  # the symbols changed
]
"""Reason for which a socket ended or was replaced: the label of the reconnect counter."""

AGE_BOUNDS_US: Final = tuple(
    round(ms * 1000) for ms in (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000)
)
"""Upper bounds (inclusive) of the age histogram, microseconds: from a colocated feed to a useless one."""

KIND_NAMES: Final[dict[type, str]] = {
    Liquidation: "liquidation",
    Trade: "trade",
    TradeBar: "trade_bar",
    MarkPrice: "mark_price",
    OpenInterest: "open_interest",
    VolatilityIndex: "volatility_index",
}
"""Names of the market events that an adapter produces, by record type."""


class SessionStats:
    """Counts one connection's work since the start, across reconnects and changes of its plan.

    Attributes:
        venue, connection: names of the venue and the connection.
        frames, bytes: frames received, and their size.
        events: market events by record type, before trades are folded into bars.
        liquidated_long_micro_usd, liquidated_short_micro_usd: liquidated notional by side, exact, in 10^-6 US dollars.
        rejects: rejects by reason, published or not.
        skipped: rows that correctly produce no event, by reason.
        refusals: refused subscriptions, and errors reported by the exchange.
        acks_missing: acknowledgements that did not arrive in time.
        acks_pending: acknowledgements that are due now.
        dials: attempts to open a socket.
        reconnects: sockets that ended or were replaced, by reason.
        gaps, gap_us: gaps (counted once per connection, not per channel) and their total length, microseconds.
        drains: back-pressure pauses of reading, because the bus was full.
        overlap_duplicates: trades deduplicated while two sockets of a rotation overlapped.
        crashes: restarts of the session after an exception, which is a bug.
        last_message_us: receive time of the last frame with market events.
        connected: 1 while a socket is open and subscribed, else 0.
        ages: histogram of the age of each frame's first event at receipt, microseconds.
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
        """Add another connection's counters; keep the later time of the last message."""
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
    """Return the sum over a venue's connections."""
    whole = SessionStats(venue, "*")
    for part in parts:
        whole.add(part)
    return whole
