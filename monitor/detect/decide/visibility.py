"""Visibility of the exchanges: what the absence of liquidations means."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from monitor.detect.flow.flow import Flow

UNWATCHED_S: Final = 24 * 3_600
"""Seconds of a price without a liquidation or a heartbeat of their channel on any exchange after which the price counts
as not watched for liquidations: a recording of prices alone. Until then nothing is concluded from silence."""
DEAD_S: Final = 1_800
DEAD_ORDERS: Final = 20.0
"""A tape without heartbeats has ended when it was silent for this many seconds in which a normal market would have
shown this many orders: of independent ones a chance of 2e-9, and they come in bursts."""


UNSEEN_S: Final = 5
"""Seconds without a price or a liquidation after which a scope without any heartbeat counts as unseen."""


class Feeds(NamedTuple):
    """The exchanges' liquidation channels as of a second.

    Attributes:
        beating: venues that ever sent a heartbeat on it.
        silent: those of them whose heartbeats stopped, sorted.
        missing: venues with a gap in the last five minutes that was not backfilled, sorted.
    """

    beating: Collection[str]
    silent: list[str]
    missing: Sequence[str] = ()

    @property
    def are_silent(self) -> bool:
        """Return True if the heartbeats of every venue stopped; False where none ever sent one."""
        return bool(self.beating) and len(self.silent) == len(self.beating)


NO_FEEDS: Final = Feeds((), [])


def coverage(
    venues: Collection[str], silent: Collection[str], interest: Mapping[str, float], *, unwatched: bool, dead: bool
) -> float:
    """Return the share of an asset's forced flow that can be seen now, 0 to 1.

    Args:
        venues: where it trades and liquidations are, or were, seen.
        silent: venues whose liquidation channel is down.
        interest: open interest by venue, USD; the weights, where every venue has one, else all weigh the same.
        unwatched: whether prices alone were followed for long.
        dead: whether a tape without heartbeats has ended.

    Example:
        >>> coverage({"bybit", "okx"}, ["okx"], {"bybit": 3e9, "okx": 1e9}, unwatched=False, dead=False)
        0.75
        >>> coverage((), [], {}, unwatched=True, dead=False)
        0.0
    """
    if dead or unwatched:
        return 0.0
    if not venues or not silent:
        return 1.0
    weighted = all(interest.get(venue, 0.0) > 0 for venue in venues)
    weights = {venue: interest[venue] if weighted else 1.0 for venue in venues}
    # Exact sums: the order of a set is not the same in every process, and a last digit would not be either.
    return math.fsum(weight for venue, weight in weights.items() if venue not in silent) / math.fsum(weights.values())


class Visibility(NamedTuple):
    """Visibility of a scope's liquidations in one second.

    Attributes:
        venues: where liquidations are seen, or would be.
        feeds: the exchanges' liquidation channels.
        window_share: share (0 to 1) of the flow whose last five minutes have no gap but one that was backfilled.
        unseen_since: first second of those in a row in which nothing could be seen; 0 while anything can.
    """

    venues: Collection[str]
    feeds: Feeds
    window_share: float
    unseen_since: int = 0


def window_share(venues: Collection[str], feeds: Feeds, interest: Mapping[str, float]) -> float:
    """Return the share (0 to 1) of the flow whose last five minutes have no gap but one that was backfilled."""
    return coverage(venues, feeds.missing, interest, unwatched=False, dead=False) if feeds.missing else 1.0


def is_unseen(feeds: Feeds, second: int, seen_at: int) -> bool:
    """Return True if nothing of a scope can be seen: no venue sends heartbeats, and neither prices nor orders come.

    Args:
        feeds: the exchanges' liquidation channels as of the second.
        second: the second that closes.
        seen_at: the second of the scope's last price or liquidation.
    """
    return feeds.are_silent and second - seen_at > UNSEEN_S


def is_dead(flow: Flow, feeds: Feeds, second: int) -> bool:
    """Return True if a tape without heartbeats has ended: its silence does not mean that nothing happens."""
    if feeds.beating or not flow.fine:
        return False
    return flow.silent_for(second) >= DEAD_S and flow.expected_orders(second) >= DEAD_ORDERS
