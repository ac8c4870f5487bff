"""Where records do not follow on those read before, with a stand-in for the consumer; no broker is needed."""

from __future__ import annotations

from typing import Any, Literal, cast
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition

from monitor.bus import codec
from monitor.bus.kafka.continuity import Continuity
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import FEEDS, LIQUIDATIONS
from monitor.model.events import Gap
from tests.bus import records as make

OLD, NEW = UUID(int=1), UUID(int=2)
NAMES = {f"p.{topic.name}": topic.name for topic in (LIQUIDATIONS, FEEDS)}
HERE, THERE = (TopicPartition(f"p.{LIQUIDATIONS.name}", number) for number in range(2))
FEED = TopicPartition(f"p.{FEEDS.name}", 0)
WHERE = Partition(LIQUIDATIONS.name, 0)


class Log:
    """A consumer of partitions with the same first and next offset."""

    def __init__(self, begin: int, end: int) -> None:
        self.begin, self.end = begin, end
        self.sought: list[tuple[TopicPartition, int]] = []
        self.committed_at: int | None = None
        self._client = self
        self.refreshed = 0

    async def force_metadata_update(self) -> None:
        """Count the refreshed descriptions of topics."""
        self.refreshed += 1

    def assignment(self) -> set[TopicPartition]:
        """Return what is assigned."""
        return {HERE, THERE, FEED}

    def seek(self, where: TopicPartition, offset: int) -> None:
        """Note where to read on."""
        self.sought.append((where, offset))

    async def beginning_offsets(self, wanted: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset."""
        return dict.fromkeys(wanted, self.begin)

    async def end_offsets(self, wanted: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the next offset."""
        return dict.fromkeys(wanted, self.end)

    async def committed(self, _: TopicPartition) -> int | None:
        """Return what the group committed."""
        return self.committed_at


class Watch:
    """Knows the ids; a look finds the second of two."""

    def __init__(self, first: UUID = OLD, then: UUID = OLD, *, fails: bool = False) -> None:
        self.ids: dict[str, UUID] = dict.fromkeys(NAMES.values(), first)
        self._then, self._fails = then, fails

    async def look(self) -> None:
        """Look."""
        if self._fails:
            raise BusError("no broker")
        self.ids = dict.fromkeys(NAMES.values(), self._then)


def continuity(log: Log, watch: Watch | None, start_at: Literal["earliest", "latest"] = "earliest") -> Continuity:
    """One whose partitions were read up to 50."""
    made = Continuity(cast("AIOKafkaConsumer", log), NAMES, start_at, cast("TopicWatch | None", watch))
    made.positions = dict.fromkeys(log.assignment(), 50)
    return made


def message(offset: int) -> ConsumerRecord[bytes, bytes]:
    """A liquidation at an offset."""
    value = codec.encode(make.liquidation(offset))
    return ConsumerRecord(HERE.topic, 0, offset, 7, 0, None, value, None, 0, 0, ())


def marked(one: Continuity, where: TopicPartition, batches: list[Batch]) -> list[bool]:
    """Which of a partition's batches start anew."""
    batch = Batch(WHERE, 0, [make.liquidation(1)])
    return [each.anew for each in one.hand_out(where, [*batches, batch])]


async def test_records_that_follow_on_are_handed_out() -> None:
    """At the expected offset, behind a hole without removed records, and at a topic's beginning nothing was lost."""
    one = continuity(Log(0, 60), Watch())
    await one.follow()
    assert await one.before(HERE, message(50)) == []
    assert await one.before(HERE, message(53)) == []  # a transaction's marker or a compacted record
    one.positions.clear()
    assert await one.before(HERE, message(7)) == []
    assert (one.lost, one.resets) == ({}, {})


async def test_removed_records_are_counted_and_become_a_gap() -> None:
    """Where the log begins behind the position, the gap stands at the offset before what is left."""
    one = continuity(Log(70, 90), Watch())
    (batch,) = await one.before(HERE, message(70)) or []
    (gap,) = batch.records
    assert isinstance(gap, Gap)
    assert (batch.first_offset, gap.reason, gap.from_us) == (69, "offsets_lost", 0)
    assert (one.lost, one.resets) == ({WHERE: 20}, {})
    assert await one.before(FEED, message(70)) == []  # heartbeats are no channel


@pytest.mark.parametrize("end", [5, 500])
async def test_a_topic_created_again_is_read_from_its_beginning(end: int, caplog: pytest.LogCaptureFixture) -> None:
    """Its other id is enough, whether the new topic ends before the position or beyond; each partition says it once."""
    log, watch = Log(0, end), Watch()
    one = continuity(log, watch)
    await one.follow()
    assert log.sought == []
    watch.ids = dict.fromkeys(NAMES.values(), NEW)
    await one.follow()
    await one.follow()
    assert log.refreshed == len(NAMES)
    assert sorted(log.sought) == sorted((where, 0) for where in log.assignment())
    assert one.resets == {WHERE: 1, Partition(LIQUIDATIONS.name, 1): 1, Partition(FEEDS.name, 0): 1}
    gaps = await one.before(HERE, message(0))
    assert gaps is not None
    assert marked(one, HERE, gaps) == [True, False]
    assert marked(one, HERE, []) == [False]
    assert await one.before(FEED, message(0)) == []
    assert marked(one, FEED, []) == [True]
    assert "the topic was created again and is read from offset 0; reading had come to offset 50" in caplog.text


async def test_an_offset_beyond_the_end_tells_of_a_topic_created_again_before_the_next_look() -> None:
    """The brokers are asked at once: all partitions start anew, and what the consumer found by itself is read again."""
    log, watch = Log(0, 5), Watch(then=NEW)
    one = continuity(log, watch)
    await one.follow()
    assert await one.before(HERE, message(3)) is None
    assert (HERE, 0) in log.sought
    assert (THERE, 0) in log.sought
    assert await one.before(HERE, message(0)) != []


async def test_a_topic_that_lost_its_end_is_read_from_its_present_end(caplog: pytest.LogCaptureFixture) -> None:
    """With the same id nothing that was read comes again, as the whole topic would by the consumer's own reset."""
    log = Log(0, 40)
    one = continuity(log, Watch())
    await one.follow()
    assert await one.before(HERE, message(0)) is None
    assert log.sought == [(HERE, 40)]
    assert one.positions[HERE] == 40
    assert one.resets == {WHERE: 1}
    assert marked(one, HERE, await one.before(HERE, message(40)) or []) == [True, False]
    assert "lost its end with a broker" in caplog.text


@pytest.mark.parametrize(("begin", "sought"), [(0, 0), (10, 40)])
async def test_without_ids_the_first_offset_decides(begin: int, sought: int) -> None:
    """Brokers before Kafka 2.8 have no ids: a topic that begins at 0 counts as created again, another as truncated."""
    log = Log(begin, 40)
    one = continuity(log, None)
    assert await one.before(HERE, message(begin)) is None
    assert log.sought == [(HERE, sought)]


async def test_while_no_broker_answers_the_position_stays(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be found out now is tried again with the next record; nothing is handed out meanwhile."""
    log = Log(0, 40)
    one = continuity(log, Watch(fails=True))
    await one.follow()
    assert await one.before(HERE, message(0)) is None
    assert (log.sought, one.resets) == ([(HERE, 50)], {})
    assert "trying again" in caplog.text


async def test_a_reader_of_the_latest_records_skips_what_a_new_topic_holds() -> None:
    """It continues at the end, and what is skipped is counted: a restored topic must not page old signals."""
    log, watch = Log(0, 500), Watch()
    one = continuity(log, watch, "latest")
    await one.follow()
    watch.ids = dict.fromkeys(NAMES.values(), NEW)
    await one.follow()
    assert (HERE, 500) in log.sought
    assert one.lost[WHERE] == 500


async def test_where_a_partition_starts_anew_a_seek_does_not_go_back() -> None:
    """An owner that seeks to its old offset is led to the new topic, until a batch of it was handed out."""
    log = Log(0, 5)
    one = continuity(log, None)
    await one.start_anew(HERE)
    await one.start_anew(HERE)
    one.seek(HERE, 50)
    assert log.sought[-1] == (HERE, 0)
    assert one.resets == {WHERE: 1}
    one.keep([THERE])
    one.seek(HERE, 50)
    assert log.sought[-1] == (HERE, 50)


async def test_an_offset_that_the_group_committed_is_where_reading_had_come_to() -> None:
    """After a restart the committed offset is compared; a partition without one has lost nothing."""
    log: Any = Log(0, 40)
    one = continuity(log, Watch())
    one.positions.clear()
    log.committed_at = 50
    assert await one.before(HERE, message(0)) is None
    log.committed_at = None
    assert await one.before(THERE, message(9)) == []
