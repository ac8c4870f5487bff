"""Distributes channels and symbols over sockets, by the same rules for every exchange."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from monitor.exchanges.adapter import DENSE, Request, Topic
from monitor.model.events import Channel

Item = TypeVar("Item")


def carried_channels(wanted: Iterable[Channel], offered: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return the channels to subscribe to, in the order of ``offered``.

    If none of them is dense (:data:`~monitor.exchanges.adapter.DENSE`), the mark price is added: only on a socket with
    a dense channel can a quiet market be distinguished from a stale stream.
    """
    chosen = frozenset(wanted) & frozenset(offered)
    if chosen and not chosen & DENSE:
        chosen |= {"mark_price"}
    return tuple(channel for channel in offered if channel in chosen)


def chunked(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split a sequence into consecutive parts of at most ``size`` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def sockets_by_market(
    symbols: Sequence[str], size: int, carried: frozenset[Channel], shared: frozenset[Channel]
) -> Iterator[tuple[int, Sequence[str], frozenset[Channel]]]:
    """Yield each socket's number, its symbols and its channels, of ``size`` symbols at most.

    Only the first socket carries the channels of ``shared``, which hold all markets at once; there are no further
    sockets where nothing else is carried.
    """
    for number, group in enumerate(chunked(symbols, size) if carried else ()):
        here = carried - shared if number else carried
        if not here:
            return
        yield number, group, here


def shard(symbols: Sequence[str], cost: Mapping[str, int], budget: int) -> Iterator[list[str]]:
    """Split symbols into consecutive groups whose total cost is at most ``budget``.

    A symbol that costs more than the budget gets a group of its own.
    """
    group: list[str] = []
    spent = 0
    for symbol in symbols:
        if group and spent + cost[symbol] > budget:
            yield group
            group, spent = [], 0
        group.append(symbol)
        spent += cost[symbol]
    if group:
        yield group


def market_url(url: str, market: str, markets: Iterable[str]) -> str:
    """Return the address of one of a venue's markets, made by replacing the last part of the path.

    An address whose last part is none of ``markets``, such as that of a simulation, is returned as it is.
    """
    head, slash, last = url.rpartition("/")
    return f"{head}{slash}{market}" if last in markets else url


def request(content: Mapping[str, object], acks: Iterable[str], topics: Iterable[Topic] = ()) -> Request:
    """Return a request whose frame is compact JSON of ``content``, which lists ``topics``."""
    return Request(json.dumps(content, separators=(",", ":"), ensure_ascii=False), tuple(acks), tuple(topics))
