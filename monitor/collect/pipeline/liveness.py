"""Tracks the last event of each kind on a socket, to distinguish a quiet market from a stale stream."""

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


class Liveness:
    """Holds the receive times of one socket, in microseconds of the machine's clock.

    The intake sets ``event_us[type(event)]`` and ``frame_us``. A socket is stale when all of its dense channels are
    silent; one active channel suffices, because trades of a few illiquid symbols may pause while mark prices continue.

    Attributes:
        event_us: time of the last event of each kind.
        frame_us: time of the last frame of any content, including acknowledgements and pongs.
        since_us: start of the silence for kinds without an event yet.
    """

    __slots__ = ("_dense", "_paused_us", "_silent_us", "_stale_us", "event_us", "frame_us", "since_us")

    def __init__(self, dense: frozenset[Channel], stale_after_s: float, since_us: int) -> None:
        self._dense = tuple(KIND_OF_CHANNEL[channel] for channel in dense)
        self._stale_us = round(stale_after_s * MICROS)
        self.event_us: dict[type, int] = {}
        self.frame_us = 0
        self.since_us = since_us
        self._paused_us = 0  # length of our own pauses since the dense event at _silent_us
        self._silent_us = 0

    @property
    def dense_received(self) -> bool:
        """True if a dense channel has delivered, or the plan has none."""
        return not self._dense or any(kind in self.event_us for kind in self._dense)

    def silent_since(self, now_us: int) -> int | None:
        """Return the time of the last event on a dense channel if the socket is stale, else None."""
        if not self._dense:
            return None
        last_us = self._last_dense_us()
        paused_us = self._paused_us if last_us == self._silent_us else 0
        return last_us if now_us - last_us - paused_us > self._stale_us else None

    def note_pause(self, paused_us: int) -> None:
        """Subtract a pause from the present silence.

        In it this process did not read, or its clock was set: negative if it was set back. Neither is the exchange's.
        """
        if not self._dense:
            return
        last_us = self._last_dense_us()
        self._paused_us = paused_us + (self._paused_us if last_us == self._silent_us else 0)
        self._silent_us = last_us

    def _last_dense_us(self) -> int:
        return max(self.event_us.get(kind, self.since_us) for kind in self._dense)
