"""Defines the facts about an exchange that ``docs/exchanges.md`` is made from and that decide nothing.

Each exchange's folder has a module ``facts`` with ``FACTS``: by venue one :class:`Facts`. ``source`` is where it was
read; nothing of it was tried on a live socket, which is why ``checked`` is the date of reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument


class Facts(NamedTuple):
    """Facts about one exchange.

    Attributes:
        name: name that people use.
        unit: what its sizes count.
        limits: limits on sockets and subscriptions.
        source: where this was read.
        checked: date of reading, ISO.
        examples: one instrument of each of its markets, to plan sockets for.
        long_liquidated: the words of its frames by which a long was liquidated; empty where it shows no liquidations.
        price: which price a liquidation has; empty where it shows none.
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
    """Return the facts of an adapter's venue from the module ``facts`` beside it.

    Raises:
        LookupError: they are missing; the message names the file.
    """
    name = f"{adapter.__module__.rpartition('.')[0]}.facts"
    try:
        known: Mapping[str, Facts] = import_module(name).FACTS
        return known[adapter.venue]
    except (ModuleNotFoundError, KeyError):
        raise LookupError(f"{name.replace('.', '/')}.py has no facts of {adapter.venue!r}; add them") from None


def coin(symbol: str, product: str = "", key: str = "") -> Instrument:
    """Return an example whose sizes are coins."""
    return Instrument(symbol, "BTC", 1, 1.0, "base", product=product, key=key)


def lot(symbol: str, size: float, product: str = "", key: str = "") -> Instrument:
    """Return an example whose contracts are worth ``size`` coins."""
    return Instrument(symbol, "BTC", 1, size, "base", product=product, key=key)


def usd(symbol: str, size: float, product: str = "", key: str = "") -> Instrument:
    """Return an example whose contracts are worth ``size`` USD."""
    return Instrument(symbol, "BTC", 1, size, "usd", product=product, key=key)
