"""Measures frames to events: the adapters, ``orjson.loads`` alone, and cryptofeed's handlers on the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import orjson

from monitor.exchanges.memory import Memory
from monitor.exchanges.registry import ADAPTERS
from monitor.lab.bench import peers
from monitor.lab.bench.frames import SHARES, Frame, instruments
from monitor.lab.bench.measure import Case, Group, measure
from monitor.model.events import Event

ORJSON: Final = "orjson.loads"
OURS: Final = "monitor"
CRYPTOFEED: Final = "cryptofeed"

Parse = Callable[[bytes, int, Memory], Sequence[object]]


class Work(NamedTuple):
    """Calls of ``parse`` in columns, because one object per call would be fetched from cold memory."""

    parsers: list[Parse]
    frames: list[bytes]
    received_us: list[int]
    memories: list[Memory]

    def calls(self) -> Iterator[tuple[Parse, bytes, int, Memory]]:
        """Yield the calls in order."""
        return zip(self.parsers, self.frames, self.received_us, self.memories, strict=True)


def prepare(frames: Sequence[Frame]) -> Work:
    """Bind each frame to its adapter's ``parse`` with instruments and time of receipt, as a session does."""
    parsers = {venue: ADAPTERS[venue](instruments(venue)).parse for venue in SHARES}
    memories = {venue: Memory() for venue in SHARES}
    return Work(
        [parsers[frame.venue] for frame in frames],
        [frame.data for frame in frames],
        [frame.received_us for frame in frames],
        [memories[frame.venue] for frame in frames],
    )


def run_ours(work: Work) -> int:
    """Parse every frame, drop the events, and return the number of frames."""
    for parse, data, received_us, memory in work.calls():
        parse(data, received_us, memory)
    return len(work.frames)


def count_events(work: Work) -> int:
    """Return the number of events that the adapters make of the frames."""
    return sum(
        isinstance(message, Event)
        for parse, data, received_us, memory in work.calls()
        for message in parse(data, received_us, memory)
    )


def run_orjson(frames: Sequence[bytes]) -> int:
    """Decode every frame into dictionaries and return the number of frames."""
    for data in frames:
        orjson.loads(data)
    return len(frames)


def group(frames: Sequence[Frame], rounds: int) -> Group:
    """Measure the decoders.

    Raises:
        RuntimeError: the adapters made other events than the frames hold, so a rate would mean nothing.
    """
    work = prepare(frames)
    raw = work.frames
    expected, made = sum(frame.events for frame in frames), count_events(work)
    if made != expected:
        raise RuntimeError(f"the adapters made {made} events of frames that hold {expected}")
    size = sum(map(len, raw)) / len(raw)
    notes = [f"{len(frames):,} frames, {expected:,} events, {size:.0f} bytes a frame; orjson makes no events of them"]
    cases = [
        Case(ORJSON, "frames", lambda _: run_orjson(raw)),
        Case(OURS, "frames", lambda _: run_ours(work)),
    ]
    references: tuple[str, ...] = (ORJSON,)
    if peers.version("cryptofeed"):
        peer = peers.Cryptofeed()
        texts = peer.prepare(frames)
        peer.run(texts)
        notes.append(f"cryptofeed makes {peer.events:,} events: it does not read OKX's liquidations")
        cases.append(Case(CRYPTOFEED, "frames", lambda _: peer.run(texts)))
        references = (ORJSON, CRYPTOFEED)
    return Group("decode and normalise, mixed frames", measure(cases, rounds), references, tuple(notes))
