"""The page that defines the records covers every field of every record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from monitor.lab.simulate.world.truth import Decoy, Episode, NearMiss
from monitor.lab.simulate.world.world import Facts, Header
from monitor.model.events import Reject
from monitor.model.schema import CONTRACTS, json_schema
from monitor.model.signals import Closed
from tests.paths import ROOT

PAGE: Final = ROOT / "docs" / "semantics.md"
OTHER_RECORDS: Final = (Closed, Reject, Header, Facts, Episode, NearMiss, Decoy)
"""Records without a model of their own: rejects, those between detectors, a simulated market's truth."""


def documented() -> set[str]:
    """Return the names that the page has in backticks, each part of a dotted name by itself."""
    spans = re.findall(r"`([^`\n]+)`", PAGE.read_text(encoding="utf-8"))
    return {name for span in spans for name in span.split(".")}


def properties(schema: dict[str, Any]) -> Iterator[str]:
    """Yield the field names of a JSON Schema and of the records nested in it."""
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", ())


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_field_of_the_schemas_is_defined(name: str) -> None:
    """A field of a published record, nested ones included, stands on the page."""
    assert set(properties(json_schema(name))) - documented() == set()


@pytest.mark.parametrize("kind", OTHER_RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_of_the_other_records_is_defined(kind: type[msgspec.Struct]) -> None:
    """A field of a record that has no JSON Schema stands on the page too."""
    assert {field.encode_name for field in msgspec.structs.fields(kind)} - documented() == set()


def test_a_missing_field_is_noticed() -> None:
    """A nested field that the page does not name is found."""
    schema = {"properties": {"venue": {}}, "$defs": {"Nested": {"properties": {"not_on_the_page": {}}}}}
    assert set(properties(schema)) - documented() == {"not_on_the_page"}


@pytest.mark.parametrize("reason", [*msgspec.json.schema(Reject)["$defs"]["Reject"]["properties"]["reason"]["enum"]])
def test_every_reason_of_a_reject_is_defined(reason: str) -> None:
    """Each reason that a reject can have stands on the page."""
    assert reason in documented()
