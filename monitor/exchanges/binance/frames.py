"""Frames of Binance's dialect, as typed decoding reads them; the adapter beside it documents the fields."""

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
    """``<symbol>@aggTrade``, in the order of the wire: the decoder finds the next field at the first look."""

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
    """``o`` of a forced order; ``l``, the last fill, would undercount orders of several fills."""

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
    """A trade of a market of base units whose numbers need no further look."""

    a: ValidIdNumber
    p: ValidPrice
    q: ValidQuantity
    T: ValidTimeMs
    st: Literal[0, 1] = 0


class ForceOrder(msgspec.Struct, tag_field="e", tag="forceOrder", gc=False):
    """``<symbol>@forceOrder`` and ``!forceOrder@arr``."""

    o: Order
    st: int = 0


class MarkPriceUpdate(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    """``<symbol>@markPrice@1s`` and the rows of ``!markPrice@arr@1s``; index and rate are empty for dated futures."""

    E: int
    s: str
    p: float
    i: float | str | UnsetType = UNSET
    r: float | str | UnsetType = UNSET
    T: int = 0
    st: int = 0


Push = AggTrade | ForceOrder | MarkPriceUpdate


class Combined(msgspec.Struct, gc=False):
    """A frame of the combined endpoint."""

    data: ValidTrade | ForceOrder | MarkPriceUpdate | list[ForceOrder | MarkPriceUpdate]


class CombinedContracts(msgspec.Struct, gc=False):
    """The same where sizes are contracts, of which no trade is usual."""

    data: Push | list[Push]


class ErrorDetail(msgspec.Struct, gc=False):
    """Why a request was refused."""

    code: int
    msg: str = ""


class Reply(msgspec.Struct, gc=False):
    """The answer to a request; a refusal has ``error`` in the newer form, ``code`` and ``msg`` in the older."""

    id: int | str | None = None
    result: msgspec.Raw | UnsetType = UNSET
    error: ErrorDetail | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str = ""


class Envelope(msgspec.Struct, gc=False):
    """A frame of which nothing is certain but that it is a JSON object."""

    data: msgspec.Raw | UnsetType = UNSET
    e: str | UnsetType = UNSET


COMBINED: Final = msgspec.json.Decoder(Combined, strict=False)
COMBINED_CONTRACTS: Final = msgspec.json.Decoder(CombinedContracts, strict=False)
PUSH: Final[msgspec.json.Decoder[Push]] = msgspec.json.Decoder(Push, strict=False)
ENVELOPE: Final = msgspec.json.Decoder(Envelope)
REPLY: Final = msgspec.json.Decoder(Reply)

KNOWN_KEYS: Final = keys(
    "stream data id result error code msg method params",  # envelope and answers
    "e E st ps s a p q nq f l T m M",  # aggTrade
    "o S ap X z",  # forceOrder; o is the order, and its type within it
    "i P r ap1 h L",  # markPriceUpdate
)
"""Every key that the documented frames have."""


def untagged(fault: Fault, row: msgspec.Raw) -> Fault:
    """The fault of a row that no type of push could hold: its event type where that is the reason."""
    try:
        kind = ENVELOPE.decode(row).e
    except UNREADABLE:
        return fault
    if kind is UNSET or kind in KINDS:
        return fault
    return "unknown_channel", f"event type {kind[:64]!r}"
