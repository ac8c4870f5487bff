"""Tracks the requests that a socket has to send, and the acknowledgements that it is still waiting for."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from monitor.collect.connection.topic_search import TopicSearch
from monitor.exchanges.adapter import Request, Topic


class Subscription:
    """Matches acknowledgements to one socket's requests, by key, and repeats refused requests without the refused part.

    A request that lists its topics and has one acknowledgement is repeated until each topic is accepted or refused by
    itself. Any other refused key counts as settled, so that one refusal does not end the socket of the others.

    Args:
        requests: requests of the plan.
        suspects: topics that an earlier socket of the plan did not get.
    """

    __slots__ = ("_deadlines", "_keys", "_refused", "_searches", "_unnamed_refusals", "_unsent")

    def __init__(self, requests: Sequence[Request], suspects: Collection[Topic] = ()) -> None:
        self._unsent: deque[Request] = deque()
        self._searches: dict[str, tuple[Request, TopicSearch]] = {}
        for request in requests:
            if request.topics and len(request.acks) == 1:
                search = TopicSearch(request.topics, suspects)
                self._searches[request.acks[0]] = request, search
                self._unsent.append(request.narrowed(search.part))
            else:
                self._unsent.append(request)
        self._keys = frozenset(key for request in requests for key in request.acks)
        self._deadlines: dict[str, float] = {}
        self._refused: set[str] = set()
        self._unnamed_refusals = 0

    @property
    def pending(self) -> int:
        """Number of acknowledgements requested and not yet settled."""
        return len(self._deadlines)

    @property
    def has_unsent(self) -> bool:
        """True if a request is to be sent."""
        return bool(self._unsent)

    @property
    def settled(self) -> bool:
        """True if every request is sent and every acknowledgement settled."""
        return not self._unsent and not self._deadlines

    @property
    def refused_entirely(self) -> bool:
        """True if the exchange refused every key, so that the socket is useless."""
        return bool(self._keys) and self._refused == self._keys

    @property
    def missing(self) -> frozenset[Topic]:
        """Topics that the exchange refused; a refused key of a request that lists no topics counts as one."""
        refused = {Topic(key, "") for key in self._refused if key not in self._searches}
        return frozenset(refused.union(*(search.missing for _, search in self._searches.values())))

    def send_next(self, deadline_s: float) -> Request:
        """Return the next request to send now; its acknowledgements are due at ``deadline_s``."""
        request = self._unsent.popleft()
        for key in request.acks:
            self._deadlines[key] = deadline_s
        return request

    def acknowledged(self, key: str, accepted: Collection[str] | None = None) -> bool:
        """Settle a key; return false if it was not pending.

        ``accepted`` holds the names of the accepted topics, None where the exchange does not list them.
        """
        if self._deadlines.pop(key, None) is None:
            return False
        if key in self._searches:
            self._searches[key][1].accept(accepted)
            self._continue(key)
        return True

    def refused(self, key: str, detail: str = "", *, repeated: bool = False) -> None:
        """Settle or repeat a refused key; a refusal without a key explains keys that are overdue later."""
        if self._deadlines.pop(key, None) is None:
            self._unnamed_refusals += not key
        elif key in self._searches:
            self._searches[key][1].refuse(detail, repeated=repeated)
            self._continue(key)
        else:
            self._refused.add(key)

    def _continue(self, key: str) -> None:
        """Prepare the request for the next part of a key's topics; without one, the key is settled."""
        request, search = self._searches[key]
        if search.part:
            self._unsent.append(request.narrowed(search.part))
        elif not search.accepted:
            self._refused.add(key)

    def overdue(self, now_s: float) -> list[str]:
        """Return the overdue keys; if a refusal without a key explains them, treat them as refused and return none."""
        late = [key for key, deadline_s in self._deadlines.items() if deadline_s <= now_s]
        if not late or self._unnamed_refusals <= 0:
            return late
        for key in late:
            # The repeated request brings a refusal of its own; a single old one must not excuse a mute exchange.
            self._unnamed_refusals -= key in self._searches
            self.refused(key)
        return []
