"""When a socket was last heard, by kind of event: what tells a quiet market from a dead stream."""

from __future__ import annotations

from typing import Final

from monitor.model.events import (
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

    The session notes ``heard[type(event)]`` and ``frame_us``; :meth:`silent_since` judges. One dense channel that
    speaks proves the stream alive: trades of a few illiquid symbols may well pause while their mark prices go on.

    Attributes:
        heard: when each kind of event was last received.
        frame_us: when anything at all was last received, acknowledgements and pongs included.
        since_us: from when silence is counted while nothing was heard.
    """

    __slots__ = ("_dense", "_stale_us", "frame_us", "heard", "since_us")

    def __init__(self, dense: frozenset[Channel], stale_after_s: float, since_us: int) -> None:
        self._dense = tuple(KIND_OF_CHANNEL[channel] for channel in dense)
        self._stale_us = round(stale_after_s * MICROS)
        self.heard: dict[type, int] = {}
        self.frame_us = 0
        self.since_us = since_us

    @property
    def dense_heard(self) -> bool:
        """Whether a dense channel has spoken, or there is none to wait for."""
        return not self._dense or any(kind in self.heard for kind in self._dense)

    def silent_since(self, now_us: int) -> int | None:
        """When a dense channel was last heard, if that is too long ago; None while the stream is alive."""
        if not self._dense:
            return None
        last_us = max(self.heard.get(kind, self.since_us) for kind in self._dense)
        return last_us if now_us - last_us > self._stale_us else None
