"""Checks one venue's feed: changes of its format, the side of its liquidations, connections that are down.

The venue's intakes call it. A frame that holds trades alone costs one comparison here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.collect.quality.schema_drift import DriftKind, Finding, SchemaDrift
from monitor.collect.quality.side_check import SideCheck, SideStats
from monitor.collect.stats import EndReason
from monitor.model.events import MICROS, AnyEvent, Liquidation, MarkPrice, Reject

log = logging.getLogger(__name__)

REMEDY: Final[dict[EndReason, str]] = {
    "dial_failed": "no connection to this address: check DNS, the network, a firewall, and whether the exchange "
    "serves your region; if others reach it, its address has changed (see its notices, then set venues.{venue}.ws_url)",
    "closed": "the exchange closes the socket: it may be in maintenance, or has banned this address for too many "
    "connections or subscriptions",
    "ack_timeout": "it connects but does not answer subscriptions: the protocol or the path may have changed",
    "refused": "every subscription is refused: channels or symbols may have been renamed",
    "stale": "it connects and confirms, but no events come: the streams may have moved to another path, as those of "
    "Binance did on 2026-04-23",
    "unanswered": "it does not answer pings: the network path is broken, or the exchange hangs",
    "oversized": "its frames are larger than collector.max_frame_bytes",
    "overflow": "the bus stays full: check the Kafka brokers, or the detector behind the in-memory bus",
}
"""What to check, by the reason for which the last socket ended."""

QUIET_TIMES: Final = 50.0
"""A venue is quiet after a pause of this many average intervals between liquidations.

For independent arrivals the probability is e^-50; the margin covers calm nights, whose intervals are ten times longer.
"""

QUIET_LEAST_US: Final = 600 * MICROS
"""Shortest pause that counts as quiet, microseconds; after a cascade the average interval is short, and minutes
without a liquidation are common."""

AVERAGE_WEIGHT: Final = 0.001
"""Weight of the newest interval in the moving average: about a thousand intervals, hours and not one cascade."""

DOWN_AFTER_S: Final = 30.0
"""A connection that is not alive for this many seconds is reported: twice the longest interval between pings, and
still within a minute."""


class DownConnection(NamedTuple):
    """A connection that receives nothing, the reason for which its last socket ended, and the start."""

    connection: str
    reason: str
    since_us: int


class FeedHealthStats(NamedTuple):
    """Holds the results of the checks.

    Attributes:
        up: true if every connection of the venue is alive.
        down: connections that are not, for longer than :data:`DOWN_AFTER_S`.
        drift: number of format changes by kind, every occurrence counted.
        findings: the first occurrence of each format change.
        side: state of the side test.
        last_liquidation_us: receive time of the last liquidation, 0 before the first.
        quiet: true if no liquidation has come for much longer than usual while the venue is up.
    """

    up: bool
    down: Sequence[DownConnection]
    drift: dict[DriftKind, int]
    findings: Sequence[Finding]
    side: SideStats
    last_liquidation_us: int = 0
    quiet: bool = False


class FeedHealth:
    """Checks one venue's feed; the intakes read :attr:`due_us` to know which frames to pass to :meth:`look`."""

    __slots__ = (
        "_down",
        "_drift",
        "_failing_us",
        "_known",
        "_last_us",
        "_logged_suspect",
        "_quiet",
        "_side",
        "_usual_us",
        "venue",
    )

    def __init__(self, venue: str, known_keys: frozenset[str]) -> None:
        self.venue = venue
        self._drift = SchemaDrift(known_keys)
        self._side = SideCheck()
        self._logged_suspect = False
        self._known = False
        self._last_us = 0
        self._usual_us = 0.0
        self._quiet = False
        self._failing_us: dict[str, int] = {}
        self._down: dict[str, DownConnection] = {}

    @property
    def due_us(self) -> dict[type, int] | None:
        """Time of the next check for each message type, due at once if missing; None if no keys are known.

        The dictionary is live: :meth:`look` updates it.
        """
        return self._drift.due_us if self._drift.known else None

    def look(self, kind: type, frame: bytes, now_us: int) -> None:
        """Compare a frame's keys with the known ones and log new ones."""
        for finding in self._drift.look(kind, frame, now_us):
            self._log_finding(finding)

    def rejected(self, reject: Reject) -> None:
        """Count a reject that shows a format change; log its first occurrence."""
        finding = self._drift.rejected(reject)
        if finding is not None:
            self._log_finding(finding)

    def _log_finding(self, finding: Finding) -> None:
        sample = finding.sample[:300].decode(errors="replace")
        log.warning("%s: the feed's format has changed: %s %s in %s", self.venue, finding.kind, finding.detail, sample)

    def events(self, events: Sequence[AnyEvent]) -> None:
        """Feed liquidations and mark prices to the side test, and log when its result changes."""
        side = self._side
        for event in events:
            if type(event) is MarkPrice:
                side.mark(event)
            elif type(event) is Liquidation:
                side.liquidation(event)
                self._liquidated(event.receive_time_us)
        if side.suspect != self._logged_suspect:
            self._logged_suspect = side.suspect
            if side.suspect:
                log.error(
                    "%s: long liquidations come while its mark price rises, shorts while it falls (%d of %d votes): "
                    "its side is parsed the wrong way round, or has changed its meaning",
                    self.venue,
                    side.disagreed,
                    side.agreed + side.disagreed,
                )
            else:
                log.info("%s: the side of its liquidations agrees with its mark price again", self.venue)

    def _liquidated(self, received_us: int) -> None:
        if self._last_us:
            pause_us = received_us - self._last_us
            self._usual_us += (pause_us - self._usual_us) * (AVERAGE_WEIGHT if self._usual_us else 1.0)
        self._last_us = received_us
        if self._quiet:
            self._quiet = False
            log.info("%s: liquidations have resumed", self.venue)

    def tick(self, now_us: int) -> None:
        """Detect, about once a second, that liquidations have stopped while the venue is up."""
        if self._quiet or not self._usual_us or self._failing_us:
            return
        pause_us = now_us - self._last_us
        if pause_us > max(QUIET_LEAST_US, QUIET_TIMES * self._usual_us):
            self._quiet = True
            log.error(
                "%s: no liquidation for %.0f s (average interval %.1f s) although the venue is up: the market may be "
                "calm; if other venues show liquidations, these have moved to another path or topic",
                self.venue,
                pause_us / MICROS,
                self._usual_us / MICROS,
            )

    def connection(self, name: str, alive: bool, reason: EndReason | None, now_us: int) -> None:
        """Record the state of a connection, about once a second.

        ``reason`` is the reason for which its last socket ended, None before the first.
        """
        self._known = True
        if alive:
            self._failing_us.pop(name, None)
            if self._down.pop(name, None):
                log.info("%s %s: connected and complete again", self.venue, name)
            return
        since_us = self._failing_us.setdefault(name, now_us)
        if name not in self._down and now_us - since_us >= DOWN_AFTER_S * MICROS:
            self._down[name] = DownConnection(name, reason or "dialling", since_us)
            remedy = REMEDY.get(reason, "") if reason else "it was never connected"
            log.error(
                "%s %s: down for %.0f s (%s): %s",
                self.venue,
                name,
                (now_us - since_us) / MICROS,
                reason or "dialling",
                remedy.format(venue=self.venue),
            )

    def forget(self, names: set[str]) -> None:
        """Keep only these connections; those that are no longer planned are dropped."""
        for kept in (self._failing_us, self._down):
            for name in kept.keys() - names:
                del kept[name]

    def stats(self) -> FeedHealthStats:
        """Return the results."""
        return FeedHealthStats(
            up=self._known and not self._failing_us,
            down=tuple(self._down.values()),
            drift=dict(self._drift.counts),
            findings=tuple(self._drift.findings.values()),
            side=self._side.stats(),
            last_liquidation_us=self._last_us,
            quiet=self._quiet,
        )
