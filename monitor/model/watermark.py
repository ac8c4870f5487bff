"""Decides how far a stream of records has come in time, and does not follow a clock that runs ahead. No I/O.

The watermark is the latest arrival time that is believed. It is a function of the records alone, so a replay, a restart
and another machine find the same one. ``docs/detection-rules.md`` has the rule in words:

* An arrival up to the tolerance ahead of the watermark moves it.
* One further ahead moves it only once a majority of the venues that were active shows event times there too, or once
  arrivals have gone on from there for the confirmation time and nothing contradicted them.
* Until then a record whose exchange dates it to the present is placed at the watermark. Others are held; what is not
  confirmed while the watermark moves on by :data:`HELD_US` is refused.
* A watermark that lies in the future steps back once records have arrived earlier for longer than it was supported.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from monitor.model.events import ALL, MICROS, AnyEvent, Gap, Heartbeat

ACTIVE_US: Final = 60 * MICROS
"""A venue has a vote if its last record lies at most this far before the watermark."""
HELD_US: Final = 60 * MICROS
"""A held record is refused once the watermark has moved on by this much without confirming it."""
HELD_RECORDS: Final = 20_000
"""Records held at most: four seconds of the busiest feeds. Further ones are refused."""
SUPPORT_US: Final = 900 * MICROS
"""Longest support of a watermark that counts against a step back: a producer's backlog is shorter than that."""
STEP_US: Final = MICROS
"""A record adds at most this much to the time for which a clock has gone on: two records are no minute."""
NEVER: Final = 1 << 62

_OWN: Final = (Heartbeat, Gap)
"""Records dated by the collector's own clock: they are no evidence of an exchange's time."""


class Placed(NamedTuple):
    """A record and the watermark at which it takes effect."""

    at_us: int
    record: AnyEvent


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A watermark with what its next step depends on. Times in microseconds.

    Attributes:
        reached_us: the watermark.
        since_us: where it began to move in steps within the tolerance.
        active: by venue the watermark at its last record.
        claims: by venue the latest event time among records that arrived ahead.
        ahead: latest arrival of the clock that is ahead, of several the nearest, and for how long it has gone on.
        behind: the same of the clock that is behind the watermark, since the last record at it.
        held: records that are neither placed nor refused, each with the watermark at its arrival.
        scanned_s: second of the watermark when the held records were last examined.
        released: records that take effect and were not handed out yet.
    """

    reached_us: int = 0
    since_us: int = 0
    active: dict[str, int] = {}
    claims: dict[str, int] = {}
    ahead: tuple[int, int] | None = None
    behind: tuple[int, int] | None = None
    held: tuple[tuple[int, AnyEvent], ...] = ()
    scanned_s: int = 0
    released: tuple[Placed, ...] = ()


def arrival_us(record: AnyEvent) -> int:
    """Return the arrival time, or the event time of a record whose arrival is not known."""
    return record.receive_time_us or record.event_time_us


def _is_storable(record: AnyEvent) -> bool:
    """Return whether a snapshot can hold a record: one with a number beyond 64 bits it cannot."""
    try:
        msgspec.msgpack.encode(record)
    except OverflowError:
        return False
    return True


class Watermark:
    """The watermark of one stream of records in the order of their arrival.

    A caller may skip :meth:`take` for a record whose arrival lies within ``low_us`` and ``reached_us``: it takes effect
    at the watermark and changes nothing here.

    Args:
        tolerance_us: how far ahead an arrival is believed at once.
        confirm_us: how long arrivals must go on ahead, uncontradicted, to be believed.
        mark: where to go on.

    Attributes:
        low_us: earliest arrival that needs no look.
        placed_ahead: by venue how many records with an arrival ahead were placed at the watermark.
        refused: by venue how many were refused.
        distances: by venue the watermark at its last record ahead, and how far ahead that was, microseconds.
        steps_back: how often the watermark stepped back.
    """

    __slots__ = (
        "_claims", "_confirm_us", "_held", "_held_own", "_scanned_s", "_tolerance_us", "active", "ahead", "behind",
        "distances", "low_us", "placed_ahead", "reached_us", "refused", "since_us", "steps_back",
    )  # fmt: skip

    def __init__(self, tolerance_us: int, confirm_us: int, mark: Mark | None = None) -> None:
        mark = mark or Mark()
        self._tolerance_us = tolerance_us
        self._confirm_us = confirm_us
        self.reached_us, self.since_us = mark.reached_us, mark.since_us
        self.active, self._claims = mark.active, mark.claims
        self.ahead, self.behind = mark.ahead, mark.behind
        self._held = mark.held
        self._held_own = sum(type(record) in _OWN for _, record in mark.held)
        self._scanned_s = mark.scanned_s
        self.placed_ahead: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.distances: dict[str, tuple[int, int]] = {}
        self.steps_back = 0
        self._set_low()

    def mark(self) -> Mark:
        """Return what a restart needs; it shares nothing that changes later."""
        return Mark(
            self.reached_us, self.since_us, self.active, self._claims, self.ahead, self.behind, self._held,
            self._scanned_s,
        )  # fmt: skip

    def follow(self, at_us: int) -> None:
        """Move the watermark to a time that the caller knows to have come."""
        if at_us > self.reached_us:
            self._reach(at_us)
            self._set_low()

    def note(self, venue: str) -> None:
        """Note that a venue is active at the watermark; a record of all of them gives none a vote."""
        if venue != ALL and self.reached_us - self.active.get(venue, 0) >= MICROS:
            self.active = {**self.active, venue: self.reached_us}

    def take(self, record: AnyEvent) -> list[Placed]:
        """Take the next record; return the records that now take effect, in order."""
        at_us = arrival_us(record)
        distance_us = at_us - self.reached_us
        if not self.reached_us:
            self._reach(at_us)
            placed = self._present(record, at_us)
        elif distance_us > self._tolerance_us:
            placed = self._take_ahead(record, at_us)
        elif distance_us < -self._tolerance_us:
            placed = self._take_behind(record, at_us)
        else:
            placed = self._present(record, at_us)
        self._set_low()
        return placed

    def _set_low(self) -> None:
        """Let records pass without a look only where nothing is pending."""
        pending = self.ahead is not None or self.behind is not None or self._held
        if not pending and self._claims:
            self._claims = {}
        self.low_us = NEVER if pending else self.reached_us - self._tolerance_us

    def _reach(self, at_us: int) -> None:
        if at_us > self.reached_us + self._tolerance_us:
            self.since_us = at_us
        self.reached_us = max(self.reached_us, at_us)

    # A record at the watermark

    def _present(self, record: AnyEvent, at_us: int) -> list[Placed]:
        self.behind = None
        placed = self._contradict()
        self._reach(at_us)
        self.note(record.venue)
        placed.append(Placed(self.reached_us, record))
        if self._held and self.reached_us // MICROS != self._scanned_s:
            placed += self._scan(self.reached_us)
        return placed

    def _contradict(self) -> list[Placed]:
        """Give up the clock that is ahead: the heartbeats and gaps that came by it belong to the present."""
        self.ahead = None
        if not self._held_own:
            return []
        placed = [self._place_ahead(record) for _, record in self._held if type(record) in _OWN]
        self._hold(tuple(each for each in self._held if type(each[1]) not in _OWN))
        return placed

    # A record ahead of it

    def _take_ahead(self, record: AnyEvent, at_us: int) -> list[Placed]:
        dated_here = self._is_dated_here(record, at_us)
        placed = self._contradict() if dated_here else []
        level_us = self._claimed(record)
        if not dated_here:
            level_us = max(level_us, self._persisted(at_us))
        if level_us > self.reached_us:
            placed += self._scan(level_us)
        if (found := self._placed(record, max(level_us, self.reached_us))) is not None:
            placed.append(found)
            return placed
        if not dated_here and self.ahead is None:
            self.ahead = at_us, 0
        if len(self._held) < HELD_RECORDS and _is_storable(record):
            self._held = (*self._held, (self.reached_us, record))
            self._held_own += type(record) in _OWN
        else:
            self._refuse(record)
        return placed

    def _is_dated_here(self, record: AnyEvent, at_us: int) -> bool:
        """Whether a record's exchange shows the present, which contradicts its arrival."""
        if type(record) in _OWN:
            return False
        event_us, tolerance_us = record.event_time_us, self._tolerance_us
        return self.reached_us - tolerance_us <= event_us < at_us - tolerance_us

    def _claimed(self, record: AnyEvent) -> int:
        """Return the time that a majority of the active venues has reached by their exchanges' clocks."""
        if type(record) in _OWN:
            return 0
        venue = record.venue
        event_us = min(record.event_time_us, arrival_us(record))
        if event_us > self._claims.get(venue, 0):
            self._claims = {**self._claims, venue: event_us}
        since_us = self.reached_us - ACTIVE_US
        voters = self._claims.keys() | {each for each, at_us in self.active.items() if at_us >= since_us}
        needed = len(voters) // 2 + 1
        claims = sorted(self._claims.values(), reverse=True)
        return claims[needed - 1] if len(claims) >= needed else 0

    def _persisted(self, at_us: int) -> int:
        """Return how far arrivals have gone on ahead for the confirmation time; 0 while they have not."""
        before_us = self.ahead[0] if self.ahead is not None else at_us
        self.ahead = self._gone_on(self.ahead, at_us)
        if self.ahead[1] < self._confirm_us:
            return 0
        self.ahead = None
        return at_us if at_us <= before_us + self._tolerance_us else before_us  # a lone one may be from further ahead

    def _gone_on(self, clock: tuple[int, int] | None, at_us: int) -> tuple[int, int]:
        """Return a clock after one more arrival: its latest one, and for how long it has gone on."""
        if clock is None or at_us < clock[0] - self._tolerance_us:
            return at_us, 0  # of several clocks the nearest is examined
        latest_us, lasted_us = clock
        return max(latest_us, at_us), lasted_us + min(max(0, at_us - latest_us), STEP_US)

    def _scan(self, level_us: int) -> list[Placed]:
        """Place the held records that a new level confirms, and refuse those that waited too long."""
        if level_us > self.reached_us:
            self.ahead = None
        placed, kept = [], []
        for held_at_us, record in self._held:
            found = self._placed(record, max(level_us, self.reached_us))
            if found is not None:
                placed.append(found)
            elif self.reached_us - held_at_us >= HELD_US:
                self._refuse(record)
            else:
                kept.append((held_at_us, record))
        self._hold(tuple(kept))
        self._scanned_s = self.reached_us // MICROS
        return placed

    def _placed(self, record: AnyEvent, level_us: int) -> Placed | None:
        """Place a record if its arrival or its event time is at most the tolerance ahead of a level."""
        at_us, limit_us = arrival_us(record), level_us + self._tolerance_us
        if at_us <= limit_us:
            self._reach(at_us)
            self.note(record.venue)
            return Placed(self.reached_us, record)
        if type(record) in _OWN or record.event_time_us > limit_us:
            return None
        self._reach(min(record.event_time_us, level_us))
        self.note(record.venue)
        return self._place_ahead(record)

    def _place_ahead(self, record: AnyEvent) -> Placed:
        self._count(self.placed_ahead, record)
        return Placed(self.reached_us, record)

    def _refuse(self, record: AnyEvent) -> None:
        self._count(self.refused, record)

    def _count(self, counts: dict[str, int], record: AnyEvent) -> None:
        venue = record.venue
        counts[venue] = counts.get(venue, 0) + 1
        self.distances[venue] = self.reached_us, arrival_us(record) - self.reached_us

    def _hold(self, held: tuple[tuple[int, AnyEvent], ...]) -> None:
        self._held = held
        self._held_own = sum(type(record) in _OWN for _, record in held)

    # A record behind it

    def _take_behind(self, record: AnyEvent, at_us: int) -> list[Placed]:
        self.behind = self._gone_on(self.behind, at_us)
        support_us = min(self.reached_us - self.since_us, SUPPORT_US)
        if self.behind[1] >= self._confirm_us + support_us:
            self._step_back(self.behind[0])
        return [Placed(self.reached_us, record)]

    def _step_back(self, to_us: int) -> None:
        self.reached_us = self.since_us = to_us
        self.active = {venue: min(at_us, to_us) for venue, at_us in self.active.items()}
        self.distances = {venue: (min(at_us, to_us), ahead) for venue, (at_us, ahead) in self.distances.items()}
        self.ahead = self.behind = None
        for _, record in self._held:
            self._refuse(record)
        self._hold(())
        self.steps_back += 1

    def distances_s(self) -> dict[str, float]:
        """Return by venue how far ahead its records were stamped within the last minute, seconds; 0 for none."""
        recent_us = self.reached_us - ACTIVE_US
        return {
            venue: ahead_us / MICROS if at_us >= recent_us else 0.0
            for venue, (at_us, ahead_us) in self.distances.items()
        }
