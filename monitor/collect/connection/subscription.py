"""Which acknowledgements a socket still waits for."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.exchanges.adapter import Request


class Subscription:
    """The acknowledgements of one socket's requests, matched by key.

    A refused key is settled like an acknowledged one: it must not cost the other subscriptions their socket.
    """

    __slots__ = ("_deadlines", "_keys", "_refused", "_unnamed_refusals", "_unsent")

    def __init__(self, requests: Sequence[Request]) -> None:
        self._unsent = len(requests)
        self._keys = frozenset(key for request in requests for key in request.acks)
        self._deadlines: dict[str, float] = {}
        self._refused: set[str] = set()
        self._unnamed_refusals = 0

    @property
    def pending(self) -> int:
        """Acknowledgements asked for and not yet settled."""
        return len(self._deadlines)

    @property
    def settled(self) -> bool:
        """Whether all was asked and every answer has come."""
        return self._unsent == 0 and not self._deadlines

    @property
    def refused_entirely(self) -> bool:
        """Whether the exchange refused everything, so that the socket is of no use."""
        return bool(self._keys) and self._refused == self._keys

    def sending(self, request: Request, deadline_s: float) -> None:
        """A request goes out now; its acknowledgements are due at ``deadline_s``."""
        self._unsent -= 1
        for key in request.acks:
            self._deadlines[key] = deadline_s

    def acknowledged(self, key: str) -> bool:
        """Settle a key. False when nobody waits for it."""
        return self._deadlines.pop(key, None) is not None

    def refused(self, key: str) -> None:
        """Settle a refused key; a refusal that names no key excuses what is missing when the time is up."""
        if self._deadlines.pop(key, None) is not None:
            self._refused.add(key)
        elif not key:
            self._unnamed_refusals += 1

    def overdue(self, now_s: float) -> list[str]:
        """The keys whose time is up, unless refusals without a key explain them; those are settled as refused."""
        late = [key for key, deadline_s in self._deadlines.items() if deadline_s <= now_s]
        if late and self._unnamed_refusals:
            for key in late:
                self.refused(key)
            return []
        return late
