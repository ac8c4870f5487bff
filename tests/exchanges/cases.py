"""Loads the test cases of the exchanges: frames written by hand, with the messages that parsing must return."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from monitor.collect.rest.instruments import read_instruments
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Message
from monitor.exchanges.registry import ADAPTERS
from monitor.model.events import Event, Reject

FOLDER = Path(__file__).parent / "frames"


@cache
def known_instruments(table: Path) -> dict[str, Instrument]:
    """Return a venue's instruments, read once."""
    return read_instruments(table)


class Case(NamedTuple):
    """One frame of a venue, or several in order, with the messages that parsing must return."""

    venue: str
    file: str
    about: str
    frames: list[Any]
    expect: list[dict[str, Any]]
    received_us: int
    blind: bool

    def adapter(self) -> Adapter:
        """Return a new adapter, with the venue's instruments if it needs them."""
        table = FOLDER / self.venue / "_instruments.json"
        known = known_instruments(table) if table.exists() and not self.blind else None
        return ADAPTERS[self.venue](known)


def frames_of(case: Mapping[str, Any]) -> list[Any]:
    """Return a case's frames: JSON or text from ``frame``, bytes from ``frame_base64``; one of either, or a list."""
    content = case["frame_base64"] if "frame_base64" in case else case["frame"]
    frames = content if isinstance(content, list) else [content]
    return [base64.b64decode(frame) for frame in frames] if "frame_base64" in case else frames


def cases_of(venue: str) -> list[Case]:
    """Return all cases of a venue."""
    return [
        Case(
            venue,
            path.stem,
            case["about"],
            frames_of(case),
            case["expect"],
            case.get("received_us", 0),
            "instruments" in case,
        )
        for path in sorted((FOLDER / venue).glob("[!_]*.json"))
        for case in json.loads(path.read_text())
    ]


ALL_CASES = [case for venue in ADAPTERS for case in cases_of(venue)]


def compact(content: Any) -> bytes:
    """Return compact JSON, as exchanges send it; text and bytes are returned as they are."""
    if isinstance(content, bytes):
        return content
    return content.encode() if isinstance(content, str) else json.dumps(content, separators=(",", ":")).encode()


def spaced(content: Any) -> bytes:
    """Return the same JSON with spaces, which a check of a frame's first bytes must not depend on."""
    if isinstance(content, bytes):
        return content
    return content.encode() if isinstance(content, str) else json.dumps(content, indent=1).encode()


def reversed_keys(content: Any) -> Any:
    """Return the same JSON with the keys of every object in reverse order."""
    if isinstance(content, Mapping):
        return {key: reversed_keys(content[key]) for key in reversed(content)}
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        return [reversed_keys(item) for item in content]
    return content


def plain(message: Message) -> dict[str, Any]:
    """Return a message in the format of the case files."""
    if isinstance(message, Reject):
        return {"reject": message.reason}
    if isinstance(message, Event):
        # UNSET is left out, and floats are compared to 12 digits: the files hold decimal numbers.
        fields: dict[str, Any] = json.loads(msgspec.json.encode(message))
        return {
            key: pytest.approx(value, rel=1e-12) if type(value) is float else value for key, value in fields.items()
        }
    fields_given: list[Any] = json.loads(msgspec.json.encode(list(message)))
    defaults = list(message._field_defaults.values())
    while defaults and fields_given[-1] == defaults.pop():  # as short as a case writes it
        fields_given.pop()
    return {"control": type(message).__name__, "fields": fields_given}
