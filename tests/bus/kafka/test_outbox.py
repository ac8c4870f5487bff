from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.bus import codec
from monitor.bus.kafka.outbox import Add, Lane, Outbox
from monitor.bus.topics import FEEDS, LIQUIDATIONS, REJECTS, SIGNALS, STATE, TRADES, Record, Topic
from tests.bus import records as make

NOW_MS = 1_760_130_000_000
CAPACITY = 3


class FakeBatch:
    """Takes three records."""

    def __init__(self) -> None:
        self.count = 0
        self.records: list[dict[str, Any]] = []
        self.add: Add = self._add

    def _add(self, number: int, timestamp: int, key: bytes, value: bytes, headers: Any) -> object | None:
        """As aiokafka's builder does it."""
        assert number in (len(self.records), CAPACITY)
        if len(self.records) == CAPACITY:
            return None
        self.records.append({"timestamp": timestamp, "key": key, "value": bytes(value), "headers": headers})
        return self


def outbox(*topics: Topic, partitions: int = 4) -> Outbox:
    """An outbox whose topics have a prefix on the brokers."""
    return Outbox(topics, lambda topic: f"eu.{topic.name}", partitions, FakeBatch)


def take(lane: Lane) -> FakeBatch:
    """The lane's next batch."""
    batch = lane.take()
    assert isinstance(batch, FakeBatch)
    return batch


def test_a_record_waits_in_its_partitions_batch() -> None:
    """Key, value, headers and time are those of the record and its topic; the lane is due once."""
    box = outbox(TRADES)
    box.put([make.trade(1), make.trade(2)], NOW_MS)
    (lane,) = box.take_due()
    assert lane.topic == "eu.market.trades.v1"
    batch = take(lane)
    assert batch.records[0] == {
        "timestamp": NOW_MS,
        "key": b"BTC",
        "value": codec.encode(make.trade(1)),
        "headers": codec.headers(TRADES),
    }
    assert batch.count == box.waiting == 2
    assert box.take_due() == []


def test_a_full_batch_is_ready_and_another_begins() -> None:
    """The fourth record opens a second batch; the lane gives the oldest first, and those of others wait."""
    box = outbox(TRADES)
    box.put([make.trade(1, "ETH"), *(make.trade(number) for number in range(3))], NOW_MS)
    assert not box.ready
    box.put([make.trade(3)], NOW_MS)
    (lane,) = box.take_ready()
    assert not box.ready
    (other,) = box.due
    assert other is not lane
    assert [take(lane).count, take(lane).count] == [3, 1]
    with pytest.raises(LookupError, match=r"nothing waits for eu\.market\.trades\.v1/"):
        lane.take()


def test_one_batch_of_a_partition_is_under_way_at_a_time() -> None:
    """What comes meanwhile makes the lane due only when the batch before it is confirmed."""
    box = outbox(TRADES)
    box.put([make.trade(1)], NOW_MS)
    (lane,) = box.take_due()
    sent = lane.take()
    box.put([make.trade(number) for number in range(2, 7)], NOW_MS)
    assert (list(box.due), list(box.ready), box.waiting) == ([], [], 6)
    box.confirmed(lane, sent.count)
    assert (list(box.due), list(box.ready), box.waiting) == ([], [lane], 5)
    for left in (2, 0):
        assert box.take_due() == [lane]
        box.confirmed(lane, lane.take().count)
        assert box.waiting == left
    assert (list(box.due), list(box.ready)) == ([], [])


def test_a_beat_leaves_at_once_with_all_that_waits_before_it() -> None:
    """Every lane of a topic that a beat marks is ready; one that is under way, as soon as that is confirmed."""
    box = outbox(TRADES, LIQUIDATIONS, STATE, FEEDS)
    box.put([make.trade(1), make.trade(2, "ETH")], NOW_MS)
    assert not box.ready
    busy = next(iter(box.due))
    box.take_due()
    sent = busy.take()
    box.put([make.trade(3), make.trade(4, "ETH"), make.heartbeat(1)], NOW_MS)
    assert busy not in box.ready
    assert len(box.ready) == 4 * 4 - 1
    assert not box.due
    box.confirmed(busy, sent.count)
    assert busy in box.ready
    assert [record["key"] for record in take(busy).records][-1] == b"*"
    assert not busy.urgent


def test_records_of_several_types_keep_their_order() -> None:
    """Each goes to its own topic; what one topic gets stays in order."""
    box = outbox(TRADES, FEEDS)
    box.put([make.trade(1), make.heartbeat(1), make.trade(2)], NOW_MS)
    values = [
        record["value"]
        for lane in box.take_due()
        if lane.topic.endswith("trades.v1")
        for record in take(lane).records
        if record["key"] == b"BTC"
    ]
    assert values == [codec.encode(make.trade(number)) for number in (1, 2)]


def test_what_concerns_everything_goes_to_every_partition() -> None:
    """One copy a partition, each counted as waiting."""
    box = outbox(FEEDS, partitions=5)
    box.put([make.heartbeat(1)], NOW_MS)
    assert box.waiting == 5
    lanes = box.take_due()
    assert sorted(lane.partition for lane in lanes) == [0, 1, 2, 3, 4]
    assert {take(lane).records[0]["key"] for lane in lanes} == {b"*"}


def test_rejects_are_keyed_by_venue() -> None:
    """Their batches fill and follow one another as all others do."""
    box = outbox(REJECTS)
    box.put([make.reject(number) for number in range(4)], NOW_MS)
    (lane,) = box.take_due()
    first, second = take(lane), take(lane)
    assert (first.count, second.count, box.waiting) == (3, 1, 4)
    assert second.records[0]["key"] == make.VENUE.encode()
    assert (second.records[0]["value"], second.records[0]["headers"]) == codec.encode_reject(make.reject(3))


@pytest.mark.parametrize("topics", [[TRADES], [SIGNALS]])
def test_a_record_of_another_topic_is_refused(topics: Sequence[Topic]) -> None:
    """A signal needs both its topics; half a record is not written."""
    box = outbox(*topics)
    with pytest.raises(TypeError, match="not opened for the topics of Signal"):
        box.put([make.signal(1)], NOW_MS)
    assert box.waiting == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["BTC", "ETH", "SOL", "XRP"]), st.booleans(), st.booleans()), min_size=1, max_size=60
    )
)
def test_whatever_the_rhythm_every_record_leaves_once_and_in_order(steps: list[tuple[str, bool, bool]]) -> None:
    """Any mix of writing, sending and confirming delivers each key's records once, in the order written."""
    box = outbox(TRADES, partitions=2)
    written: dict[str, list[bytes]] = {}
    arrived: dict[str, list[bytes]] = {}
    under_way: list[tuple[Lane, FakeBatch]] = []

    def send() -> None:
        under_way.extend((lane, take(lane)) for lane in box.take_due())

    def confirm() -> None:
        lane, batch = under_way.pop(0)
        for record in batch.records:
            arrived.setdefault(record["key"].decode(), []).append(record["value"])
        box.confirmed(lane, batch.count)

    for number, (asset, send_now, confirm_now) in enumerate(steps):
        record: Record = make.trade(number, asset)
        box.put([record], NOW_MS)
        written.setdefault(asset, []).append(codec.encode(record))
        if send_now:
            send()
        if confirm_now and under_way:
            confirm()
    while box.waiting:
        send()
        confirm()
    assert arrived == written
