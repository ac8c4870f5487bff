"""The exchanges' side of the conversation, for the conformance suite: a module an adapter's, of its name."""

from __future__ import annotations

import importlib
from typing import Final

from monitor.adapters.registry import ADAPTERS
from tests.adapters.dialects.base import Dialect

PENDING: Final[frozenset[str]] = frozenset()
"""Adapters that were there before the suite and still have no dialect; to be emptied, never to grow."""


def dialect_of(venue: str) -> type[Dialect]:
    """The dialect of a venue, from the module that is named as its adapter's. Raises where there is none."""
    name = ADAPTERS[venue].__module__.rpartition(".")[2]
    module = importlib.import_module(f"{__name__}.{name}")
    found = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Dialect) and getattr(kind, "venue", "") == venue
    ]
    if len(found) != 1:
        raise LookupError(f"{module.__name__} holds {len(found)} dialects of {venue}")
    return found[0]
