"""How much a test tries: a little every day (``make test``), much in ``make test-deep``.

A test that only makes sense in full is marked ``deep`` with the reason. One that tries a sample every day and
everything in the deep run is marked ``sampled``; property tests are so by themselves.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

from hypothesis import settings

T = TypeVar("T")

DEEP: Final = os.environ.get("CASCADE_TEST_DEEP") == "1"
"""True in ``make test-deep``."""
EVERY_DAY: Final = 25
"""Examples of a property test every day; a fault in one example of ten is missed once in fourteen runs."""
IN_DEPTH: Final = 250
"""Examples of a property test in the deep run, more than Hypothesis's own 100."""


def load_profile() -> None:
    """Make Hypothesis follow the budget. A busy machine is no failure, so no example has a deadline."""
    settings.register_profile("everyday", max_examples=EVERY_DAY, deadline=None)
    settings.register_profile("deep", max_examples=IN_DEPTH, deadline=None)
    settings.load_profile("deep" if DEEP else "everyday")


def examples(every_day: int, in_depth: int) -> int:
    """Return how many examples a property test whose single example is slow tries in this run."""
    return in_depth if DEEP else every_day


def few(values: Sequence[T], count: int = 1) -> Sequence[T]:
    """Return all values in the deep run, and every day the first ``count`` of them."""
    return values if DEEP else values[:count]


def sample(values: Sequence[T], turn: int) -> Sequence[T]:
    """Return all values in the deep run, and every day one of them, another at each turn."""
    return values if DEEP else (values[turn % len(values)],)
