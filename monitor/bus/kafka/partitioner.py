"""Maps an asset to its partition by Kafka's murmur2 hash, computed once for each asset."""

# aiokafka is not annotated.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from aiokafka.partitioner import murmur2

POSITIVE = 0x7FFFFFFF
"""Java drops the sign bit of the hash before the modulo (``Utils.toPositive``)."""


class Partitioner:
    """Key to partition as Java's default partitioner does it, so that every client agrees.

    The hash is pure Python and costs about a microsecond a byte; the number of assets is small, so each is hashed
    once and remembered.
    """

    def __init__(self, partitions: int) -> None:
        if partitions < 1:
            raise ValueError(f"partitions must be at least 1, not {partitions}")
        self.partitions = partitions
        self._known: dict[str, int] = {}

    def partition(self, key: str) -> int:
        """The partition of ``key``."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (murmur2(key.encode()) & POSITIVE) % self.partitions
        return known
