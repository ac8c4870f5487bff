"""Work that is done in steps, so that an event loop can turn in between."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def finished(steps: Generator[object, None, Result]) -> Result:
    """Run the steps without a pause and return their result.

    Example:
        >>> def steps():
        ...     yield
        ...     return 1
        >>> finished(steps())
        1
    """
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: Result = done.value
            return result
