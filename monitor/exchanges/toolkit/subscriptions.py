"""How channels and symbols are laid out over sockets, alike for every exchange."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from monitor.exchanges.adapter import DENSE, Request
from monitor.model.events import Channel

Item = TypeVar("Item")


def carried_channels(wanted: Iterable[Channel], offered: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels to subscribe, in the order of ``offered``.

    A sparse channel is never alone on a socket: without a dense one beside it, silence could not be told from death,
    so the mark price joins it.
    """
    chosen = frozenset(wanted) & frozenset(offered)
    if chosen and not chosen & DENSE:
        chosen |= {"mark_price"}
    return tuple(channel for channel in offered if channel in chosen)


def chunked(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Consecutive slices of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def shard(symbols: Sequence[str], cost: Mapping[str, int], budget: int) -> Iterator[list[str]]:
    """Consecutive groups of symbols whose costs stay within ``budget``; a symbol dearer than it gets its own group."""
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
    """The address of one of a venue's markets: the path's last part, if it names one of ``markets``, exchanged.

    An address that names none (a simulation's) serves all of them.
    """
    head, slash, last = url.rpartition("/")
    return f"{head}{slash}{market}" if last in markets else url


def request(content: Mapping[str, object], acks: Iterable[str]) -> Request:
    """A request frame as compact JSON."""
    return Request(json.dumps(content, separators=(",", ":"), ensure_ascii=False), tuple(acks))
