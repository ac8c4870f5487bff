"""Encodes and decodes records: JSON of the record contract, one typed decoder a topic, headers for every record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Final

import msgspec

from monitor import __version__
from monitor.bus.topics import MARKET_TOPICS, REJECTS, ROUTES, SIGNALS, SUMMARIES, WATERMARKED, Record, Topic
from monitor.model.events import SAMPLE_BYTES, Heartbeat, Reject
from monitor.model.signals import Closed
from monitor.model.validation import UNREADABLE, Fault, event_fault

Headers = Sequence[tuple[str, bytes]]

PRODUCER: Final = f"cascade-monitor/{__version__}".encode()
BUS: Final = "bus"
"""``venue`` of a reject that came from a topic and not from an exchange."""

_encoder: Final = msgspec.json.Encoder()


def _decoder(topic: Topic) -> msgspec.json.Decoder[Record]:
    kinds = [kind for kind, topics in ROUTES.items() if topic in topics]
    if topic in (*WATERMARKED, SIGNALS):
        kinds.append(Heartbeat)
    return msgspec.json.Decoder(reduce(or_, kinds))


_DECODERS: Final[dict[str, msgspec.json.Decoder[Record]]] = {
    topic.name: _decoder(topic) for topics in ROUTES.values() for topic in topics if topic is not REJECTS
} | {SUMMARIES.name: msgspec.json.Decoder(Closed)}

_EVENT_TOPICS: Final = frozenset(topic.name for topic in MARKET_TOPICS)


class Implausible(msgspec.ValidationError):
    """Reports a record of the right shape with impossible values; see :mod:`monitor.model.validation`."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault[1])
        self.reason = fault[0]


encode: Final = _encoder.encode
"""JSON of any record but a :class:`Reject`, whose value is the original frame (:func:`encode_reject`)."""
encode_into: Final = _encoder.encode_into
"""Like :data:`encode`, into a bytearray, whose content it replaces."""


def headers(topic: Topic) -> list[tuple[str, bytes]]:
    """Return the headers of every record of a topic: the contract's name and the program that wrote it."""
    return [("schema", topic.schema.encode()), ("producer", PRODUCER)]


def decode(topic: str, value: bytes, record_headers: Headers) -> Record:
    """Return the record that ``value`` holds; fields unknown to this version are ignored.

    Raises:
        msgspec.DecodeError: the value is not JSON, or not a record of this topic (then a ``ValidationError``), or an
            event with impossible values (then an :class:`Implausible`).
        LookupError: the topic holds no records.
    """
    decoder = _DECODERS.get(topic)
    if decoder is not None:
        try:
            record = decoder.decode(value)
        except msgspec.DecodeError:
            raise
        except UNREADABLE as error:  # nested too deep, or a name that is no UTF-8
            words = "JSON is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise msgspec.DecodeError(words) from error
        if topic in _EVENT_TOPICS and (fault := event_fault(record)):  # type: ignore[arg-type]  # events alone
            raise Implausible(fault)
        return record
    if topic == REJECTS.name:
        return _decode_reject(value, record_headers)
    raise LookupError(f"{topic} holds no records")


def encode_reject(reject: Reject) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Return the frame's original bytes as the value, and the reason for the reject as headers."""
    return reject.sample, [
        *headers(REJECTS),
        ("venue", reject.venue.encode()),
        ("reason", reject.reason.encode()),
        ("detail", reject.detail.encode()),
        ("receive_time_us", b"%d" % reject.receive_time_us),
    ]


def _decode_reject(value: bytes, record_headers: Headers) -> Reject:
    try:
        found = {name: text.decode() for name, text in record_headers if name in Reject.__struct_fields__}
        return msgspec.convert({**found, "sample": value}, Reject, strict=False)
    except UnicodeDecodeError as error:
        raise msgspec.ValidationError(f"headers of a reject: {error}") from error


def unreadable(where: str, value: bytes, error: msgspec.DecodeError, time_us: int) -> Reject:
    """Return the reject for a record that :func:`decode` refused; ``where`` names topic, partition and offset."""
    reason = error.reason if isinstance(error, Implausible) else "malformed"
    return Reject(BUS, reason, f"{where}: {error}", time_us, value[:SAMPLE_BYTES])
