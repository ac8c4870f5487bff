"""Tracks the acknowledgements that a socket is still waiting for."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.exchanges.adapter import Request


class Subscription:
    """Matches acknowledgements to one socket's requests, by key.

    A refused key counts as settled, so that one refusal does not end the socket of the other subscriptions.
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
        """Number of acknowledgements requested and not yet settled."""
        return len(self._deadlines)

    @property
    def settled(self) -> bool:
        """True if every request is sent and every acknowledgement settled."""
        return self._unsent == 0 and not self._deadlines

    @property
    def refused_entirely(self) -> bool:
        """True if the exchange refused every key, so that the socket is useless."""
        return bool(self._keys) and self._refused == self._keys

    def sending(self, request: Request, deadline_s: float) -> None:
        """Register a request that is sent now; its acknowledgements are due at ``deadline_s``."""
        self._unsent -= 1
        for key in request.acks:
            self._deadlines[key] = deadline_s

    def acknowledged(self, key: str) -> bool:
        """Settle a key; return false if it was not pending."""
        return self._deadlines.pop(key, None) is not None

    def refused(self, key: str) -> None:
        """Settle a refused key; a refusal without a key explains keys that are overdue later."""
        if self._deadlines.pop(key, None) is not None:
            self._refused.add(key)
        elif not key:
            self._unnamed_refusals += 1

    def overdue(self, now_s: float) -> list[str]:
        """Return the overdue keys; if a refusal without a key explains them, settle them as refused and return none."""
        late = [key for key, deadline_s in self._deadlines.items() if deadline_s <= now_s]
        if late and self._unnamed_refusals:
            for key in late:
                self.refused(key)
            return []
        return late
