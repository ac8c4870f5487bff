"""Whether one venue's feed can be believed: what has changed in its format, whether its sides make sense, what is down.

Fed by the venue's intakes; nothing here is on the path of a frame that holds trades alone but one comparison.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from monitor.collect.quality.schema_drift import Drift, DriftKind, Finding
from monitor.collect.quality.side_check import SideCheck, SideStats
from monitor.collect.stats import EndReason
from monitor.model.events import MICROS, AnyEvent, Liquidation, MarkPrice, Reject

log = logging.getLogger(__name__)

REMEDY: Final[dict[EndReason, str]] = {
    "dial_failed": "nobody answers at this address: check DNS, the network, a firewall or the region from which you "
    "dial; if others reach the exchange, its address has moved (see its notices, then set venues.{venue}.ws_url)",
    "closed": "the exchange closes the socket: it may be in maintenance, or has banned this address for dialling or "
    "subscribing too much",
    "ack_timeout": "it connects but does not answer subscriptions: the protocol or the path may have changed",
    "refused": "every subscription is refused: channels or symbols may have been renamed",
    "stale": "it connects and confirms, but nothing comes: the streams may have moved to another path, as those of "
    "Binance did on 2026-04-23",
    "unanswered": "it does not answer pings: the path between is broken, or the exchange hangs",
    "oversized": "its frames are larger than collector.max_frame_bytes",
    "overflow": "the bus does not take what comes: look at the broker or at the reader behind the memory bus",
}
"""What to check, by the reason for which sockets end."""

QUIET_TIMES: Final = 50.0
"""A pause of so many usual ones is no chance: at random it would be e^-50, and calm nights stretch pauses tenfold."""

QUIET_LEAST_US: Final = 600 * MICROS
"""No shorter pause is told, whatever is usual: after a cascade minutes of calm are."""

USUAL_SHARE: Final = 0.001
"""Weight of the newest pause in the usual one: a thousand liquidations remember hours, not one cascade."""

DOWN_AFTER_S: Final = 30.0
"""A connection that has not been whole for so long is told: twice the slowest sign of life, and within the minute."""


class Down(NamedTuple):
    """A connection that sees nothing: which, why its last socket ended, since when."""

    connection: str
    reason: str
    since_us: int


class WatchStats(NamedTuple):
    """What the watch knows.

    Attributes:
        up: whether every connection of the venue sees what it should.
        down: those that do not, longer than :data:`DOWN_AFTER_S`.
        drift: findings of changed formats by kind, each time one is met.
        findings: the first of each.
        side: the test of the liquidations' sides.
        last_liquidation_us: when one was last received, 0 before.
        quiet: whether none has come for much longer than usual, though the venue is up.
    """

    up: bool
    down: Sequence[Down]
    drift: dict[DriftKind, int]
    findings: Sequence[Finding]
    side: SideStats
    last_liquidation_us: int = 0
    quiet: bool = False


class Watch:
    """One venue's watch; :attr:`due_us` is looked at by the intakes."""

    __slots__ = (
        "_down",
        "_drift",
        "_failing_us",
        "_known",
        "_last_us",
        "_quiet",
        "_side",
        "_told_side",
        "_usual_us",
        "venue",
    )

    def __init__(self, venue: str, known_keys: frozenset[str]) -> None:
        self.venue = venue
        self._drift = Drift(known_keys)
        self._side = SideCheck()
        self._told_side = False
        self._known = False
        self._last_us = 0
        self._usual_us = 0.0
        self._quiet = False
        self._failing_us: dict[str, int] = {}
        self._down: dict[str, Down] = {}

    @property
    def due_us(self) -> dict[type, int] | None:
        """When to :meth:`look` at the next frame of a kind, 0 where it is missing; None where nothing is looked at."""
        return self._drift.due_us if self._drift.known else None

    def look(self, kind: type, frame: bytes, now_us: int) -> None:
        """Look for what is new in a frame."""
        for finding in self._drift.look(kind, frame, now_us):
            self._tell(finding)

    def rejected(self, reject: Reject) -> None:
        """Look at what could not be read."""
        finding = self._drift.rejected(reject)
        if finding is not None:
            self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        sample = finding.sample[:300].decode(errors="replace")
        log.warning("%s: its format has changed: %s %s in %s", self.venue, finding.kind, finding.detail, sample)

    def events(self, events: Sequence[AnyEvent]) -> None:
        """Weigh liquidations against mark prices."""
        side = self._side
        for event in events:
            if type(event) is MarkPrice:
                side.mark(event)
            elif type(event) is Liquidation:
                side.liquidation(event)
                self._liquidated(event.receive_time_us)
        if side.suspect != self._told_side:
            self._told_side = side.suspect
            if side.suspect:
                log.error(
                    "%s: longs die while its mark price rises, and shorts while it falls (%d votes of %d): its side is "
                    "read the wrong way round, or has changed its meaning",
                    self.venue, side.disagreed, side.agreed + side.disagreed,
                )  # fmt: skip
            else:
                log.info("%s: its liquidations agree with its mark price again", self.venue)

    def _liquidated(self, received_us: int) -> None:
        if self._last_us:
            pause_us = received_us - self._last_us
            self._usual_us += (pause_us - self._usual_us) * (USUAL_SHARE if self._usual_us else 1.0)
        self._last_us = received_us
        if self._quiet:
            self._quiet = False
            log.info("%s: liquidations come again", self.venue)

    def tick(self, now_us: int) -> None:
        """About once a second: whether liquidations have stopped while all else goes on, as on a moved path."""
        if self._quiet or not self._usual_us or self._failing_us:
            return
        pause_us = now_us - self._last_us
        if pause_us > max(QUIET_LEAST_US, QUIET_TIMES * self._usual_us):
            self._quiet = True
            log.error(
                "%s: no liquidation for %.0f s, one each %.1f s is usual, though the venue is up: the market may "
                "be calm; if others show some, its liquidations have moved to another path or topic",
                self.venue, pause_us / MICROS, self._usual_us / MICROS,
            )  # fmt: skip

    def connection(self, name: str, alive: bool, reason: EndReason | None, now_us: int) -> None:
        """How a connection does, about once a second; ``reason`` is why its last socket ended, None if none has."""
        self._known = True
        if alive:
            self._failing_us.pop(name, None)
            if self._down.pop(name, None):
                log.info("%s %s: whole again", self.venue, name)
            return
        since_us = self._failing_us.setdefault(name, now_us)
        if name not in self._down and now_us - since_us >= DOWN_AFTER_S * MICROS:
            self._down[name] = Down(name, reason or "dialling", since_us)
            remedy = REMEDY.get(reason, "") if reason else "it was never connected"
            log.error(
                "%s %s: down for %.0f s (%s): %s", self.venue, name, (now_us - since_us) / MICROS, reason or "dialling",
                remedy.format(venue=self.venue),
            )  # fmt: skip

    def forget(self, names: set[str]) -> None:
        """These connections are all there are."""
        for kept in (self._failing_us, self._down):
            for name in kept.keys() - names:
                del kept[name]

    def stats(self) -> WatchStats:
        """What it knows."""
        return WatchStats(
            self._known and not self._failing_us, tuple(self._down.values()), dict(self._drift.counts),
            tuple(self._drift.findings.values()), self._side.stats(), self._last_us, self._quiet,
        )  # fmt: skip
