"""Maps an asset to its partition by Kafka's murmur2 hash, computed once for each asset."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from aiokafka.partitioner import murmur2

POSITIVE = 0x7FFFFFFF
"""Mask that drops the hash's sign bit before the modulo, as Java does (``Utils.toPositive``)."""


class Partitioner:
    """Maps a key to its partition as Java's default partitioner does, so that all clients agree.

    The hash is pure Python and costs about a microsecond a byte; assets are few, so each result is cached.
    """

    def __init__(self, partitions: int) -> None:
        if partitions < 1:
            raise ValueError(f"partitions must be at least 1, not {partitions}")
        self.partitions = partitions
        self._known: dict[str, int] = {}

    def partition(self, key: str) -> int:
        """Return the partition of ``key``."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (murmur2(key.encode()) & POSITIVE) % self.partitions
        return known
