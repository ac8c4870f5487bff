from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.bus.merge import AHEAD, Lane, Merge, Position
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import Record
from monitor.detect.detector import new_watermark
from monitor.detect.settings import DetectorSettings
from monitor.model.events import ALL, MICROS, Heartbeat
from monitor.model.watermark import Watermark, WatermarkState
from tests.bus.records import VENUE

TOPICS = ("a", "b")


def beat(at_us: int) -> Heartbeat:
    """A record received then."""
    return Heartbeat(VENUE, ALL, ALL, at_us, at_us, "trades")


def numbered(number: int, at_us: int) -> Heartbeat:
    """A record received then that can be recognised."""
    return Heartbeat(VENUE, str(number), ALL, at_us, at_us, "trades")


def batch(topic: str, first: int, *at_us: int) -> Batch:
    """Records received then, from an offset on."""
    records: list[Record] = [beat(at) for at in at_us]
    return Batch(Partition(topic, 0), first, records)


def watermark(state: WatermarkState) -> Watermark:
    """A topic's watermark with the default settings."""
    return new_watermark(DetectorSettings(), state)


def merge() -> Merge:
    """Two topics from their beginning."""
    return Merge(dict.fromkeys(TOPICS, Position(0)), watermark)


def taken(merged: Merge, second: int) -> list[int]:
    """Receive times of what is taken."""
    return [record.receive_time_us for records in merged.take(second) for record in records]


def test_a_second_is_complete_once_every_topic_is_beyond_it() -> None:
    """The topic that is least far decides, and one that said nothing holds everything up."""
    merged = merge()
    merged.put(batch("a", 0, 5 * MICROS, 9 * MICROS))
    assert (merged.complete, merged.next_second()) == (0, 0)
    merged.put(batch("b", 0, 7 * MICROS))
    assert (merged.complete, merged.next_second()) == (7, 5)
    assert taken(merged, 5) == [5 * MICROS]
    assert merged.next_second() == 7


def test_what_stands_behind_a_later_record_takes_effect_with_it() -> None:
    """Within a topic nothing overtakes, so that how far it was taken is one offset."""
    merged = merge()
    merged.put(batch("a", 10, 3 * MICROS, 2 * MICROS, 3 * MICROS + 1))
    assert taken(merged, 2) == []
    assert taken(merged, 3) == [3 * MICROS, 2 * MICROS, 3 * MICROS + 1]
    position = merged.positions()["a"]
    assert (position.offset, position.reached_us) == (13, 3 * MICROS + 1)


def test_what_was_read_before_is_passed_over() -> None:
    """After a rebalance the consumer may begin earlier than asked."""
    lane = Lane(Position(0), watermark)
    lane.put(batch("a", 0, MICROS, 2 * MICROS))
    lane.put(batch("a", 0, MICROS, 2 * MICROS))
    lane.put(batch("a", 1, 2 * MICROS, 3 * MICROS))
    assert [record.receive_time_us for records in lane.take(9) for record in records] == [
        MICROS,
        2 * MICROS,
        3 * MICROS,
    ]
    assert (lane.fetched, lane.waiting, lane.second) == (3, 0, None)


def test_a_topic_far_ahead_should_wait_for_the_others() -> None:
    """But never the one that the others wait for, however much of it there is."""
    merged = merge()
    merged.put(batch("a", 0, *range(MICROS, MICROS + AHEAD + 1)))
    assert merged.ahead() == {"a"}
    merged.put(batch("b", 0, *range(1, AHEAD + 2)))
    assert merged.ahead() == {"a"}
    merged.put(batch("b", AHEAD + 1, 2 * MICROS))
    assert merged.ahead() == {"b"}


def times() -> st.SearchStrategy[list[int]]:
    """Receive times of a topic, some of them by a clock that is ahead."""
    at_us = st.one_of(st.integers(1, 60 * MICROS), st.integers(3_600 * MICROS, 3_660 * MICROS))
    return st.lists(at_us, max_size=30)


@given(st.lists(times(), min_size=2, max_size=2), st.randoms(use_true_random=False))
def test_seconds_do_not_depend_on_how_the_topics_are_read(times: list[list[int]], rng: object) -> None:
    """Read in any pieces, taken at any moment, resumed anywhere: a record falls into the same second, once."""

    def seconds(pieces: bool) -> dict[tuple[str, str], int]:
        merged = merge()
        found: dict[tuple[str, str], int] = {}
        read = dict.fromkeys(TOPICS, 0)
        current = 0
        while True:
            for topic, at_us in zip(TOPICS, times, strict=True):
                count = rng.randrange(1, 5) if pieces else len(at_us)  # type: ignore[attr-defined]
                first, chunk = read[topic], at_us[read[topic] : read[topic] + count]
                if chunk:
                    records: list[Record] = [numbered(first + index, at) for index, at in enumerate(chunk)]
                    merged.put(Batch(Partition(topic, 0), first, records))
                    read[topic] += len(chunk)
            while True:
                for topic, lane in merged.lanes.items():
                    for record in (record for records in lane.take(current) for record in records):
                        assert (topic, record.symbol) not in found
                        found[topic, record.symbol] = current
                following = merged.next_second()
                if following <= current:
                    break
                current = following
            if all(read[topic] == len(at_us) for topic, at_us in zip(TOPICS, times, strict=True)):
                return found
            if pieces:  # start anew from what was taken
                merged = Merge(merged.positions(), watermark)
                read = {topic: lane.fetched for topic, lane in merged.lanes.items()}

    assert seconds(pieces=True) == seconds(pieces=False)
