"""Simulated servers of the exchanges for the conformance suite, one module a venue with the venue's name."""

from __future__ import annotations

import importlib
from typing import Final

from tests.exchanges.dialects.base import Dialect

PENDING: Final[frozenset[str]] = frozenset()
"""Adapters that were there before the suite and still have no dialect; to be emptied, never to grow."""


def dialect_of(venue: str) -> type[Dialect]:
    """Return the simulated server of a venue, from the module with its name; raises if there is none."""
    module = importlib.import_module(f"{__name__}.{venue.replace('-', '_')}")
    found = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Dialect) and getattr(kind, "venue", "") == venue
    ]
    if len(found) != 1:
        raise LookupError(f"{module.__name__} holds {len(found)} dialects of {venue}")
    return found[0]
