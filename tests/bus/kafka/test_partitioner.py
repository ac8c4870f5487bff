# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import given
from hypothesis import strategies as st

from monitor.bus.kafka.partitioner import Partitioner


@pytest.mark.parametrize(
    ("key", "hashed"),
    [  # from Kafka's own UtilsTest.testMurmur2
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_keys_go_where_java_puts_them(key: str, hashed: int) -> None:
    """The hash is Java's murmur2, and its sign bit is dropped before the modulo."""
    assert murmur2(key.encode()) == hashed & 0xFFFFFFFF
    assert Partitioner(24).partition(key) == (hashed & 0x7FFFFFFF) % 24


@given(st.text(max_size=20), st.integers(1, 100))
def test_every_key_has_one_partition(key: str, partitions: int) -> None:
    """The remembered answer is aiokafka's own, the first time and every time."""
    partitioner = Partitioner(partitions)
    expected = DefaultPartitioner()(key.encode(), list(range(partitions)), [])
    assert [partitioner.partition(key), partitioner.partition(key)] == [expected, expected]


def test_a_topic_without_partitions_is_refused() -> None:
    """At least one partition is needed."""
    with pytest.raises(ValueError, match="partitions must be at least 1, not 0"):
        Partitioner(0)
