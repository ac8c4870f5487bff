"""Every setting's description is made of whole sentences and names the unit of its value."""

from __future__ import annotations

import re
from typing import Final

import pytest

from monitor.detect.context.holders import Holding
from monitor.settings.keys import Key, keys
from monitor.settings.tree import Settings

KEYS: Final = [*keys(Settings), *keys(Holding, ("holders",))]

UNITS: Final = {
    "s": "seconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "seconds": "seconds",
    "minutes": "minutes",
    "hours": "hours",
    "bytes": "bytes",
    "usd": "USD",
    "bp": "basis points",
    "sigma": "standard deviations",
    "sigmas": "standard deviations",
    "share": r"share \(0 to 1\)",
    "score": r"score \(0 to 100\)",
    "surprise": "decades",
}
"""By the last word of a setting's name the unit that its description must name, ignoring case."""


def faults(name: str, description: str) -> list[str]:
    """Return what keeps a description from being whole sentences with the unit that the setting's name implies."""
    found = []
    if not re.match(r"[A-Z`]", description):
        found.append("begins with neither a capital letter nor a value in backquotes")
    if not re.search(r"[^.]\.$", description):
        found.append("does not end with one full stop")
    if re.search(r"\.\.\.|…", description):
        found.append("continues the description of another setting")
    if re.search(r"\. [a-z]", description):
        found.append("has a sentence that begins with a lower-case letter")
    unit = UNITS.get(name.rpartition("_")[2])
    if unit and not re.search(rf"\b{unit}", description, re.IGNORECASE):
        found.append(f"does not name its unit: {unit}")
    return found


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.dotted)
def test_description_is_whole_sentences_with_the_unit(key: Key) -> None:
    """A setting's description stands alone: capital letter, full stop, and the unit that its name implies."""
    assert faults(key.path[-1], key.field.description or "") == []


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("port", ""),
        ("port", "its port."),
        ("port", "... or this one."),
        ("port", "The port ..."),
        ("port", "The port,"),
        ("port", "The port. one of many."),
        ("hold_s", "Longest pause of a socket."),
        ("floor_usd", "Minimum liquidated within 5 minutes."),
        ("calm_share", "Share of the points."),
    ],
)
def test_fragments_and_missing_units_are_found(name: str, description: str) -> None:
    """The check refuses what the reference page used to hold: fragments, continuations, values without a unit."""
    assert faults(name, description)


def test_a_measured_setting_has_its_unit_in_its_name() -> None:
    """A setting whose description measures seconds, minutes, hours or bytes carries the unit in its name."""
    measured = re.compile(r", (seconds|minutes|hours|bytes)\b[;.]")
    timed = [key for key in KEYS if measured.search(key.field.description or "")]
    nameless = [key.dotted for key in timed if key.path[-1].rpartition("_")[2] not in UNITS]
    assert nameless == []
