from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import orjson

from monitor.bus.asyncapi import PUBLIC, document
from monitor.bus.topics import SNAPSHOTS, SUMMARIES, TOPICS
from tests.bus import records as make
from tests.paths import ROOT

DOCUMENT = ROOT / "docs" / "asyncapi.json"


def references(node: Any) -> list[str]:
    """Every ``$ref`` below a node."""
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [ref for child in node.values() for ref in references(child)]
    return [ref for child in node for ref in references(child)] if isinstance(node, list) else []


def test_the_committed_document_is_what_the_program_makes() -> None:
    """The topics' document in ``docs`` is made from the topics table and the models."""
    assert orjson.loads(DOCUMENT.read_bytes()) == document(), "run make generate"


def test_every_reference_leads_somewhere() -> None:
    """And nothing is defined that nobody refers to."""
    made = document()
    found = references(made)
    for ref in found:
        node: Any = made
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]
    assert {f"#/components/messages/{name}" for name in made["components"]["messages"]} <= set(found)


def test_every_topic_but_the_detectors_own_is_described() -> None:
    """The rest may change at any time, and says so by not being there."""
    assert set(PUBLIC) == set(TOPICS) - {SNAPSHOTS, SUMMARIES}


def test_a_signal_is_valid_by_the_document() -> None:
    """The schema that the message refers to, with its definitions, takes a real record and refuses a broken one."""
    made = document()
    schema = {"$ref": "#/components/schemas/Signal", "components": made["components"]}
    record = json.loads(msgspec.json.encode(make.signal(1)))
    jsonschema.validate(record, schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid(record | {"phase": "panic"})
