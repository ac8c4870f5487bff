from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.quality.schema_drift import EVERY_US, MOST_SAMPLES, SchemaDrift, field_names
from monitor.exchanges.registry import ADAPTERS
from monitor.model.events import Reject, Trade
from tests.exchanges.cases import cases_of, compact

KNOWN = frozenset({"topic", "data", "price"})


def test_a_kind_that_was_looked_at_rests() -> None:
    """Kinds are looked at apart, the first frame of each and then a few a minute."""
    drift = SchemaDrift(KNOWN)
    drift.look(Trade, b"{}", 100)
    assert drift.due_us == {Trade: 100 + EVERY_US}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "compressed"])
def test_a_new_field_is_found_once_with_its_frame_and_counted_each_time(pack: Any) -> None:
    """However deep it stands; the sample is the first frame that had it."""
    drift = SchemaDrift(KNOWN)
    first = pack(b'{"topic":"x","data":[{"price":1,"fee":2}]}')
    assert [(found.kind, found.detail, found.sample) for found in drift.look(Trade, first, 1)] == [
        ("unknown_key", "fee", first)
    ]
    assert drift.look(Trade, pack(b'{"data":{"fee":3}}'), 2) == []
    assert drift.counts["unknown_key"] == 2


def test_unreadable_and_plain_text_frames_have_no_fields() -> None:
    """They are the parser's to judge."""
    assert SchemaDrift(KNOWN).look(Trade, b"pong", 1) == []


def test_rejects_of_format_are_findings_and_others_are_not() -> None:
    """An unknown value, channel or shape is drift; a wrong time is not."""
    drift = SchemaDrift(frozenset())
    found = drift.rejected(Reject("v", "unknown_value", "side 'HOLD'", 1, b"{..}"))
    assert found is not None
    assert (found.kind, found.detail, found.sample) == ("unknown_value", "side 'HOLD'", b"{..}")
    assert drift.rejected(Reject("v", "unknown_value", "side 'HOLD'", 2, b"{,,}")) is None
    assert drift.rejected(Reject("v", "future_time", "1 s ahead", 1, b"{}")) is None
    assert drift.counts == {"unknown_key": 0, "unknown_value": 2, "unknown_channel": 0, "malformed": 0}


def test_what_is_kept_is_bounded() -> None:
    """A protocol that has changed altogether fills no memory."""
    drift = SchemaDrift(KNOWN)
    drift.look(Trade, json.dumps({f"key{number}": 1 for number in range(1000)}).encode(), 1)
    assert len(drift.findings) == MOST_SAMPLES
    assert drift.counts["unknown_key"] == 1000


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=15,
    )
)
def test_field_names_are_those_of_a_slow_reference(content: object) -> None:
    """Every key of every object at any depth, if it is an identifier."""

    def names(item: object) -> set[str]:
        if isinstance(item, dict):
            return {key for key in item if key.isidentifier()}.union(*map(names, item.values()))
        return set().union(*map(names, item)) if isinstance(item, list) else set()

    assert field_names(content) == names(content)


@pytest.mark.parametrize("venue", [venue for venue, adapter in ADAPTERS.items() if adapter.known_keys])
def test_documented_frames_have_no_unknown_field(venue: str) -> None:
    """The keys that an adapter lists cover the hand-written frames of market data."""
    drift = SchemaDrift(ADAPTERS[venue].known_keys)
    for case in cases_of(venue):
        for content in case.frames if case.file not in ("faults", "control") else ():
            drift.look(Trade, compact(content), 1)
    assert not drift.findings
