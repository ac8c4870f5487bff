from __future__ import annotations

import orjson

from monitor.bus.memory import MemoryBus
from monitor.collect.pipeline.intake import Intake
from monitor.collect.pipeline.liveness import Liveness
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.collect.stats import SessionStats
from monitor.exchanges.messages import Ack
from monitor.model.events import MarkPrice, Trade
from tests.collect.exchange import VENUE, LoopbackAdapter, Reader, now_us


def rig() -> tuple[Intake, Reader, Liveness]:
    """An intake that publishes to a bus."""
    bus = MemoryBus()
    venue_publisher = VenuePublisher(bus.publisher(), OverloadSwitch("each", 1.0, VENUE), RejectGate(1.0, 5), now_us)
    return (
        Intake(LoopbackAdapter(), venue_publisher, SessionStats(VENUE, "c")),
        Reader(bus),
        Liveness(frozenset(), 1.0, 0),
    )


def frame(*numbers: int) -> bytes:
    """A frame of trades."""
    return orjson.dumps({"trades": numbers, "symbol": "BTCUSDT"})


async def test_only_frames_with_events_are_messages() -> None:
    """Acknowledgements, garbage and empty frames prove the socket, not the stream: the last message stays."""
    intake, reader, liveness = rig()
    assert intake.take(b'{"ack":"k"}', 100, liveness) == [Ack("k")]
    assert not intake.take(b"{garbage", 200, liveness)
    assert not intake.take(frame(), 250, liveness)
    assert (intake.stats.last_message_us, liveness.event_us, liveness.frame_us) == (0, {}, 250)
    assert not intake.take(frame(1, 2), 300, liveness)
    assert not intake.take(b'{"mark":5.0}', 400, liveness)
    assert intake.stats.last_message_us == 400
    assert liveness.event_us == {Trade: 300, MarkPrice: 400}
    await reader.read()
    assert [trade.id for trade in reader.of(Trade)] == ["1", "2"]
    assert sum(intake.stats.ages.counts) == 2, "one age a frame"


async def test_overlap_that_is_no_longer_in_force_ends_nothing() -> None:
    """The timer of an earlier rotation must not cut a later one short."""
    intake, reader, liveness = rig()
    first = intake.begin_overlap()
    intake.take(frame(1), 1, liveness)
    intake.take(frame(1), 2, liveness)
    second = intake.begin_overlap()
    intake.end_overlap(first)
    intake.take(frame(2), 3, liveness)
    intake.take(frame(2), 4, liveness)
    intake.end_overlap(second)
    intake.take(frame(2), 5, liveness)
    intake.end_overlap()
    await reader.read()
    assert [trade.id for trade in reader.of(Trade)] == ["1", "2", "2"]
    assert intake.stats.overlap_duplicates == 2
