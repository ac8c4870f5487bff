"""Computes the watermark of a stream of records, and keeps it from following a clock that runs ahead. No I/O.

The watermark is the latest arrival time that is trusted. It depends on the records alone, so a replay, a restart and
another machine compute the same one. ``docs/detection-rules.md`` explains the rules:

* An arrival time at most the tolerance ahead of the watermark moves the watermark.
* An arrival time further ahead moves it only when it is confirmed: either the event times of a majority of the active
  venues have reached it, or records have continued to arrive at and after it for the confirmation time without a
  contradiction.
* Until then, a record whose event time is at the watermark takes effect at the watermark. Other records are held, and
  refused if the watermark moves on by :data:`HELD_US` without confirming them.
* A watermark that lies in the future steps back when records with earlier arrival times have continued for longer than
  the watermark had been supported.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from monitor.model.events import ALL, MICROS, AnyEvent, Gap, Heartbeat

ACTIVE_US: Final = 60 * MICROS
"""A venue is active, and has a vote, if its last record is at most this long before the watermark, microseconds."""
HELD_US: Final = 60 * MICROS
"""A held record is refused when the watermark has moved on by this much without confirming it, microseconds."""
HELD_RECORDS: Final = 20_000
"""Largest number of held records, about four seconds of the busiest feeds; further ones are refused."""
SUPPORT_US: Final = 900 * MICROS
"""Longest support of a watermark that is counted against a step back, microseconds.

A producer that sends its backlog, whose arrival times are earlier, takes less than this.
"""
STEP_US: Final = MICROS
"""Time that one record adds at most to the duration of a clock, so that two distant records do not make a minute."""
NEVER: Final = 1 << 62
"""A time later than that of any record."""

_OWN: Final = (Heartbeat, Gap)
"""Records whose event time is from the collector's clock; they are no evidence of an exchange's time."""


class Placed(NamedTuple):
    """A record and the watermark at which it takes effect, microseconds."""

    at_us: int
    record: AnyEvent


class WatermarkState(msgspec.Struct, frozen=True, array_like=True):
    """The state of a watermark, for snapshots. Times and durations are in microseconds.

    Attributes:
        reached_us: the watermark.
        since_us: beginning of its support: the time from which it has moved only in steps within the tolerance.
        active: watermark at the last record of each venue.
        claims: latest event time of each venue's records with an arrival time ahead of the watermark.
        ahead: latest arrival time of a clock ahead of the watermark, and how long records of that clock have continued;
            of several such clocks, the nearest to the watermark.
        behind: the same for a clock behind the watermark, since the last record at the watermark.
        held: records that have neither taken effect nor been refused, each with the watermark at its arrival.
        scanned_s: second of the watermark in which the held records were last examined.
        released: records that take effect but were not delivered to the caller before the snapshot.
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
    """Return a record's arrival time, or its event time if the arrival time is not known, microseconds."""
    return record.receive_time_us or record.event_time_us


def _is_storable(record: AnyEvent) -> bool:
    """Return whether a snapshot can contain a record; MessagePack cannot encode integers beyond 64 bits."""
    try:
        msgspec.msgpack.encode(record)
    except OverflowError:
        return False
    return True


class Watermark:
    """Computes the watermark of one stream of records, in the order of their arrival.

    A caller may skip :meth:`take` for a record whose arrival time is within ``low_us`` and ``reached_us``: the record
    takes effect at the watermark and does not change the state. If it is a heartbeat, the caller must pass its venue to
    :meth:`note_active`.

    Args:
        tolerance_us: how far ahead of the watermark an arrival time is trusted at once, microseconds.
        confirm_us: how long arrivals ahead must continue, without a contradiction, to be trusted, microseconds.
        state: state to continue from; None starts without a watermark.

    Attributes:
        reached_us: the watermark, microseconds; 0 before the first record.
        low_us: earliest arrival time, microseconds, for which :meth:`take` may be skipped.
        placed_ahead: number of each venue's records that arrived ahead and took effect at the watermark.
        refused: number of each venue's records that were refused.
        distances: for each venue, the watermark at its last record ahead and how far ahead that was, microseconds.
        steps_back: number of times that the watermark stepped back.
    """

    __slots__ = (
        "_claims",
        "_confirm_us",
        "_held",
        "_held_own",
        "_scanned_s",
        "_tolerance_us",
        "active",
        "ahead",
        "behind",
        "distances",
        "low_us",
        "placed_ahead",
        "reached_us",
        "refused",
        "since_us",
        "steps_back",
    )

    def __init__(self, tolerance_us: int, confirm_us: int, state: WatermarkState | None = None) -> None:
        state = state or WatermarkState()
        self._tolerance_us = tolerance_us
        self._confirm_us = confirm_us
        self.reached_us, self.since_us = state.reached_us, state.since_us
        self.active, self._claims = state.active, state.claims
        self.ahead, self.behind = state.ahead, state.behind
        self._held = state.held
        self._held_own = sum(type(record) in _OWN for _, record in state.held)
        self._scanned_s = state.scanned_s
        self.placed_ahead: dict[str, int] = {}
        self.refused: dict[str, int] = {}
        self.distances: dict[str, tuple[int, int]] = {}
        self.steps_back = 0
        self._set_low()

    def state(self) -> WatermarkState:
        """Return a copy of the state, from which a restart continues."""
        return WatermarkState(
            reached_us=self.reached_us,
            since_us=self.since_us,
            active=self.active,
            claims=self._claims,
            ahead=self.ahead,
            behind=self.behind,
            held=self._held,
            scanned_s=self._scanned_s,
        )

    def advance_to(self, at_us: int) -> None:
        """Move the watermark to a time that the caller knows to have been reached, microseconds."""
        if at_us > self.reached_us:
            self._reach(at_us)
            self._set_low()

    def note_active(self, venue: str) -> None:
        """Record that a venue is active at the watermark; a record for all venues makes none of them active."""
        if venue != ALL and self.reached_us - self.active.get(venue, 0) >= MICROS:
            self.active = {**self.active, venue: self.reached_us}

    def take(self, record: AnyEvent) -> list[Placed]:
        """Process the next record and return the records that take effect now, in order."""
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
        """Set ``low_us`` so that :meth:`take` may be skipped only while nothing is pending."""
        pending = self.ahead is not None or self.behind is not None or self._held
        if not pending and self._claims:
            self._claims = {}
        self.low_us = NEVER if pending else self.reached_us - self._tolerance_us

    def _reach(self, at_us: int) -> None:
        """Move the watermark to a time; its support begins anew after a step of more than the tolerance."""
        if at_us > self.reached_us + self._tolerance_us:
            self.since_us = at_us
        self.reached_us = max(self.reached_us, at_us)

    # Records at the watermark

    def _present(self, record: AnyEvent, at_us: int) -> list[Placed]:
        """Process a record within the tolerance of the watermark, which contradicts clocks ahead and behind."""
        self.behind = None
        placed = self._contradict()
        self._reach(at_us)
        self.note_active(record.venue)
        placed.append(Placed(self.reached_us, record))
        if self._held and self.reached_us // MICROS != self._scanned_s:
            placed += self._scan(self.reached_us)
        return placed

    def _contradict(self) -> list[Placed]:
        """Drop the clock that is ahead as contradicted, and place its held heartbeats and gaps at the watermark."""
        self.ahead = None
        if not self._held_own:
            return []
        placed = [self._place_ahead(record) for _, record in self._held if type(record) in _OWN]
        self._hold(tuple(each for each in self._held if type(each[1]) not in _OWN))
        return placed

    # Records ahead of the watermark

    def _take_ahead(self, record: AnyEvent, at_us: int) -> list[Placed]:
        """Process a record that arrived ahead: place it if it or the time is confirmed, else hold or refuse it."""
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
        """Return whether a record's event time is at the watermark, which contradicts its arrival time ahead."""
        if type(record) in _OWN:
            return False
        event_us, tolerance_us = record.event_time_us, self._tolerance_us
        return self.reached_us - tolerance_us <= event_us < at_us - tolerance_us

    def _claimed(self, record: AnyEvent) -> int:
        """Return the time that a majority of the active venues has reached by their event times; 0 if there is none."""
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
        """Return the time ahead at which arrivals have continued for the confirmation time; 0 if they have not."""
        before_us = self.ahead[0] if self.ahead is not None else at_us
        self.ahead = self._gone_on(self.ahead, at_us)
        if self.ahead[1] < self._confirm_us:
            return 0
        self.ahead = None
        # A single record may be from a clock further ahead, so it does not move the time by more than the tolerance.
        return at_us if at_us <= before_us + self._tolerance_us else before_us

    def _gone_on(self, clock: tuple[int, int] | None, at_us: int) -> tuple[int, int]:
        """Return a clock after one more arrival: its latest arrival time, and how long it has continued."""
        if clock is None or at_us < clock[0] - self._tolerance_us:
            return at_us, 0  # a clock nearer to the watermark replaces the one examined so far
        latest_us, lasted_us = clock
        return max(latest_us, at_us), lasted_us + min(max(0, at_us - latest_us), STEP_US)

    def _scan(self, level_us: int) -> list[Placed]:
        """Place the held records that a new trusted time confirms, and refuse those held for too long."""
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
        """Place a record if its arrival time or event time is at most the tolerance ahead of a trusted time.

        Return None if neither is.
        """
        at_us, limit_us = arrival_us(record), level_us + self._tolerance_us
        if at_us <= limit_us:
            self._reach(at_us)
            self.note_active(record.venue)
            return Placed(self.reached_us, record)
        if type(record) in _OWN or record.event_time_us > limit_us:
            return None
        self._reach(min(record.event_time_us, level_us))
        self.note_active(record.venue)
        return self._place_ahead(record)

    def _place_ahead(self, record: AnyEvent) -> Placed:
        """Place a record that arrived ahead at the watermark, and count it."""
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

    # Records behind the watermark

    def _take_behind(self, record: AnyEvent, at_us: int) -> list[Placed]:
        """Process a record that arrived behind; step back if such records have continued for long enough."""
        self.behind = self._gone_on(self.behind, at_us)
        support_us = min(self.reached_us - self.since_us, SUPPORT_US)
        if self.behind[1] >= self._confirm_us + support_us:
            self._step_back(self.behind[0])
        return [Placed(self.reached_us, record)]

    def _step_back(self, to_us: int) -> None:
        """Set the watermark back to a time, and refuse all held records."""
        self.reached_us = self.since_us = to_us
        self.active = {venue: min(at_us, to_us) for venue, at_us in self.active.items()}
        self.distances = {venue: (min(at_us, to_us), ahead) for venue, (at_us, ahead) in self.distances.items()}
        self.ahead = self.behind = None
        for _, record in self._held:
            self._refuse(record)
        self._hold(())
        self.steps_back += 1

    def distances_s(self) -> dict[str, float]:
        """Return for each venue how far ahead its last record of the last minute arrived, seconds; 0 if none did."""
        recent_us = self.reached_us - ACTIVE_US
        return {
            venue: ahead_us / MICROS if at_us >= recent_us else 0.0
            for venue, (at_us, ahead_us) in self.distances.items()
        }
