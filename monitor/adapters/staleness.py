"""When a socket was last heard, by kind of event: what tells a quiet market from a dead stream."""

from __future__ import annotations

from typing import Final

from monitor.events import (
    MICROS,
    Channel,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Trade,
    VolatilityIndex,
)

KIND_OF_CHANNEL: Final[dict[Channel, type]] = {
    "liquidations": Liquidation,
    "trades": Trade,
    "mark_price": MarkPrice,
    "open_interest": OpenInterest,
    "volatility_index": VolatilityIndex,
}


class Pulse:
    """What was heard on one socket, in microseconds of the machine's clock.

    The session notes ``heard[type(event)]`` and ``frame_us``; :meth:`silent` judges. A dense channel that has spoken
    must go on speaking. One that never spoke (its subscription may have been refused) does not condemn the others,
    but if no dense channel speaks at all within ``stale_after_s`` of ``since_us``, the stream is dead.

    Attributes:
        heard: when each kind of event was last received.
        frame_us: when anything at all was last received, acknowledgements and pongs included.
        since_us: from when silence is counted while nothing was heard.
    """

    __slots__ = ("_dense", "_stale_us", "frame_us", "heard", "since_us")

    def __init__(self, dense: frozenset[Channel], stale_after_s: float, since_us: int) -> None:
        self._dense = tuple((channel, KIND_OF_CHANNEL[channel]) for channel in sorted(dense))
        self._stale_us = round(stale_after_s * MICROS)
        self.heard: dict[type, int] = {}
        self.frame_us = 0
        self.since_us = since_us

    @property
    def dense_heard(self) -> bool:
        """Whether a dense channel has spoken, or there is none to wait for."""
        return not self._dense or any(kind in self.heard for _, kind in self._dense)

    def silent(self, now_us: int) -> tuple[Channel, int] | None:
        """The dense channel that fell silent and when it was last heard, or None while the stream is alive."""
        for channel, kind in self._dense:
            heard_us = self.heard.get(kind)
            if heard_us is not None and now_us - heard_us > self._stale_us:
                return channel, heard_us
        if not self.dense_heard and now_us - self.since_us > self._stale_us:
            return self._dense[0][0], self.since_us
        return None
