"""Builds an AsyncAPI 3 document of the topics from the topics table and the contract models."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from monitor import __version__
from monitor.bus.topics import (
    CASCADE_STATE,
    FEEDS,
    LIQUIDATIONS,
    PARTITIONS,
    REJECTS,
    ROUTES,
    SIGNALS,
    STATE,
    TRADES,
    WATERMARKED,
    Topic,
)
from monitor.model.events import Heartbeat, Reject
from monitor.model.schema import CONTRACTS, texts

BINDING: Final = "0.5.0"
"""Version of AsyncAPI's Kafka bindings."""
LATEST: Final = "latest_signal"
"""Name of the message of the latest states: a signal under a key of its own."""
PUBLIC: Final = {
    SIGNALS: "The monitor's result: one signal per phase change, and one a second while a phase other than calm lasts. "
    "Heartbeats state up to when every asset of a partition is judged, so that no signal means calm.",
    CASCADE_STATE: "The latest signal of each asset and side, for consumers that start. A key without `|` is of an "
    "earlier version; it is deleted when a phase of its asset changes.",
    LIQUIDATIONS: "Forced liquidations as collectors received them; copies of an event have the same id.",
    TRADES: "Trades, single or as 100 ms bars.",
    STATE: "Mark prices with funding, open interest, volatility indexes.",
    FEEDS: "Gaps in what was received, and a heartbeat of every channel each second.",
    REJECTS: "Frames that could not be parsed: the original bytes; venue and reason are in the headers.",
}
"""Topics for other programs. The remaining ones are internal to the detectors and may change at any time."""

_NAMES: Final = {model.__name__: name for name, model in CONTRACTS.items()}


def document() -> dict[str, Any]:
    """Return the document; the same input gives the same text."""
    names = sorted({name for topic in PUBLIC for name in _messages(topic)} - {"reject", LATEST})
    _, schemas = models_json_schema(
        [(CONTRACTS[name], "validation") for name in names], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Liquidation cascade monitor",
            "version": __version__,
            "description": "Records are JSON, UTF-8, one object each; times are integer microseconds since the Unix "
            "epoch, UTC; money is USD. Fields are only ever added: ignore those that you do not know. "
            "How to consume: docs/consuming-signals.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, words) for topic, words in PUBLIC.items()},
        "operations": {
            f"write-{topic.name}": {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}}
            for topic in PUBLIC
        },
        "components": {
            "messages": {name: _message(name) for name in names} | {"reject": _reject(), LATEST: _latest()},
            "schemas": schemas["$defs"],
        },
    }


def _messages(topic: Topic) -> list[str]:
    if topic is CASCADE_STATE:
        return [LATEST]
    kinds = {kind for kind, topics in ROUTES.items() if topic in topics}
    if topic in (*WATERMARKED, SIGNALS):
        kinds.add(Heartbeat)
    return sorted("reject" if kind is Reject else _NAMES[kind.__name__] for kind in kinds)


def _channel(topic: Topic, words: str) -> dict[str, Any]:
    configuration: dict[str, Any] = {"cleanup.policy": ["compact"]}
    if topic.retention_ms is not None:
        configuration = {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms}
    return {
        "address": topic.name,
        "description": words,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions or PARTITIONS,
                "topicConfiguration": configuration,
                "bindingVersion": BINDING,
            }
        },
    }


def _message(name: str) -> dict[str, Any]:
    model = CONTRACTS[name]
    return {
        "name": name,
        "title": model.__name__,
        "headers": _headers({}),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "bindings": _key("The asset, `MARKET`, or `*` for records that concern all assets."),
    }


def _latest() -> dict[str, Any]:
    key = "The asset and the side that is liquidated, such as `BTC|long`; the partition is that of the asset."
    return _message("signal") | {"name": LATEST, "bindings": _key(key)}


def _reject() -> dict[str, Any]:
    words = texts(Reject)
    sample = words.pop("sample")
    return {
        "name": "reject",
        "title": "Reject",
        "contentType": "application/octet-stream",
        "headers": _headers(words),
        "payload": {"description": sample},
        "bindings": _key("The venue."),
    }


def _headers(more: dict[str, str]) -> dict[str, Any]:
    words = {
        "schema": "Name and version of the record's contract.",
        "producer": "Name and version of the program that wrote the record.",
    } | more
    properties = {name: {"type": "string", "description": text} for name, text in words.items()}
    return {"type": "object", "required": sorted(words), "properties": properties}


def _key(words: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": words}, "bindingVersion": BINDING}}
