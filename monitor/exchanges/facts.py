"""Defines the facts about an exchange from which ``docs/exchanges.md`` is generated; the program does not use them.

The module ``facts`` in each exchange's folder has ``FACTS``, a :class:`Facts` for each venue. They were read in the
documents that ``source`` names, on the date ``checked``, and were not verified on a live socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument


class Facts(NamedTuple):
    """Facts about one venue.

    Attributes:
        name: the exchange's usual name.
        unit: unit of its sizes.
        limits: limits on sockets and subscriptions.
        source: documents in which the facts were read.
        checked: ISO date on which they were read.
        examples: one instrument of each market, for which the page shows the planned sockets.
        long_liquidated: field and value of a frame that mean that a long position was liquidated; empty where the venue
            publishes no liquidations.
        price: kind of price that a liquidation has; empty where the venue publishes none.
    """

    name: str
    unit: str
    limits: str
    source: str
    checked: str
    examples: tuple[Instrument, ...]
    long_liquidated: str = ""
    price: str = ""


def facts_of(adapter: type[Adapter]) -> Facts:
    """Return the facts of an adapter's venue, from the module ``facts`` in its folder.

    Raises:
        LookupError: the facts are missing; the message names the file.
    """
    name = f"{adapter.__module__.rpartition('.')[0]}.facts"
    try:
        known: Mapping[str, Facts] = import_module(name).FACTS
        return known[adapter.venue]
    except (ModuleNotFoundError, KeyError):
        raise LookupError(f"{name.replace('.', '/')}.py has no facts of {adapter.venue!r}; add them") from None


def coin(symbol: str, product: str = "", key: str = "") -> Instrument:
    """Return an example instrument whose sizes are coins."""
    return Instrument(symbol, "BTC", 1, 1.0, "base", product=product, key=key)


def lot(symbol: str, size: float, product: str = "", key: str = "") -> Instrument:
    """Return an example instrument whose contracts are worth ``size`` coins."""
    return Instrument(symbol, "BTC", 1, size, "base", product=product, key=key)


def usd(symbol: str, size: float, product: str = "", key: str = "") -> Instrument:
    """Return an example instrument whose contracts are worth ``size`` USD."""
    return Instrument(symbol, "BTC", 1, size, "usd", product=product, key=key)
