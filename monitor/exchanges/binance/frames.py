"""Defines the frames of Binance and Aster for typed decoding; ``adapter.py`` explains the fields."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from monitor.exchanges.toolkit.decoding import keys
from monitor.model.validation import UNREADABLE, Fault, ValidIdNumber, ValidPrice, ValidQuantity, ValidTimeMs

USD_M: Final = 1
COIN_M: Final = 2
KINDS: Final = frozenset({"aggTrade", "forceOrder", "markPriceUpdate"})


class AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    """An aggregated trade of ``<symbol>@aggTrade``.

    Its fields stand in the order in which the exchange sends them, because the decoder is fastest then.
    """

    a: int
    s: str
    p: float
    q: float
    f: int
    l: int  # noqa: E741 - the exchange's name
    T: int
    m: bool
    st: int = 0


class Order(msgspec.Struct, gc=False):
    """The order ``o`` of a forced order. ``l``, the quantity of the last fill, is not the executed quantity."""

    s: str
    S: str
    q: float
    p: float
    ap: float
    X: str
    z: float
    T: int
    st: int = 0


class ValidTrade(AggTrade, tag_field="e", tag="aggTrade", gc=False):
    """A trade of USD-M or Aster whose values the decoder has found to be in range."""

    a: ValidIdNumber
    p: ValidPrice
    q: ValidQuantity
    T: ValidTimeMs
    st: Literal[0, 1] = 0


class ForceOrder(msgspec.Struct, tag_field="e", tag="forceOrder", gc=False):
    """A forced order of ``<symbol>@forceOrder`` or ``!forceOrder@arr``."""

    o: Order
    st: int = 0


class MarkPriceUpdate(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    """A mark price of ``<symbol>@markPrice@1s`` or ``!markPrice@arr@1s``; dated futures have no index and no rate."""

    E: int
    s: str
    p: float
    i: float | str | UnsetType = UNSET
    r: float | str | UnsetType = UNSET
    T: int = 0
    st: int = 0


Push = AggTrade | ForceOrder | MarkPriceUpdate


class Combined(msgspec.Struct, gc=False):
    """A frame of the combined endpoint, on USD-M and Aster."""

    data: ValidTrade | ForceOrder | MarkPriceUpdate | list[ForceOrder | MarkPriceUpdate]


class CombinedContracts(msgspec.Struct, gc=False):
    """A frame of the combined endpoint on COIN-M, whose sizes are contracts; it has no fast path for trades."""

    data: Push | list[Push]


class ErrorDetail(msgspec.Struct, gc=False):
    """The code and the message of a refused request."""

    code: int
    msg: str = ""


class Reply(msgspec.Struct, gc=False):
    """The answer to a request. A refusal has ``error`` in the newer format, ``code`` and ``msg`` in the older one."""

    id: int | str | None = None
    result: msgspec.Raw | UnsetType = UNSET
    error: ErrorDetail | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str = ""


class Envelope(msgspec.Struct, gc=False):
    """The envelope of any frame: ``data`` where it is wrapped, the event type ``e`` where it is not."""

    data: msgspec.Raw | UnsetType = UNSET
    e: str | UnsetType = UNSET


COMBINED: Final = msgspec.json.Decoder(Combined, strict=False)
COMBINED_CONTRACTS: Final = msgspec.json.Decoder(CombinedContracts, strict=False)
PUSH: Final[msgspec.json.Decoder[Push]] = msgspec.json.Decoder(Push, strict=False)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)
REPLY: Final = msgspec.json.Decoder(Reply)

KNOWN_KEYS: Final = keys(
    "stream data id result error code msg method params",  # envelope, requests and answers
    "e E st ps s a p q nq f l T m M",  # aggTrade
    "o S ap X z",  # forceOrder; o is the order, and within it the order's type
    "i P r ap1 h L",  # markPriceUpdate
)
"""Every key of the documented frames."""


def untagged(fault: Fault, row: msgspec.Raw) -> Fault:
    """Return why a row could not be decoded: its event type is unknown, or else ``fault``."""
    try:
        kind = ENVELOPE.decode(row).e
    except UNREADABLE:
        return fault
    if kind is UNSET or kind in KINDS:
        return fault
    return "unknown_channel", f"event type {kind[:64]!r}"
