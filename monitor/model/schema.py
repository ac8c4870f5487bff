"""Makes pydantic models and JSON Schemas of the records that leave the program, from their only definitions.

The records are the msgspec Structs of :mod:`monitor.model.events`, :mod:`monitor.model.signals`,
:mod:`monitor.model.summary` and :mod:`monitor.model.lines`. The models are for the edges: consumers, schemas, tests.
They check the bounds that the fields state (:class:`monitor.model.contract.Spec`). A consumer ignores fields that it
does not know, so the models do too; a field is only ever added. A field that is absent from a record is ``None``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Final, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from monitor.model import events, lines, signals, summary
from monitor.model.contract import Spec

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
T = TypeVar("T", bound=msgspec.Struct)

_UNIONS: Final = (Union, UnionType)


class Contract(BaseModel):
    """The base of all models: unknown fields are ignored, numbers are finite, nothing changes later."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


@cache
def model_of(record: type[msgspec.Struct]) -> type[Contract]:
    """Return the model of a record: the same fields in the same order, with its tag after those of every event."""
    hints = get_type_hints(record, include_extras=True)
    fields = {
        field.name: (_annotation(_optional(hints[field.name], field)), _default(field))
        for field in msgspec.structs.fields(record)
    }
    shared = len(events.Event.__struct_fields__) if issubclass(record, events.Event) else 0
    ordered = list(fields.items())
    tag = record.__struct_config__.tag
    tagged = [("type", (Literal[tag], ...))] if tag is not None else []
    definitions: dict[str, Any] = dict([*ordered[:shared], *tagged, *ordered[shared:]])
    return create_model(record.__name__, __base__=Contract, __doc__=inspect.getdoc(record), **definitions)


def _optional(hint: Any, field: msgspec.structs.FieldInfo) -> Any:
    """Return a field's type, with absent added if its default is a record."""
    if not isinstance(field.default, msgspec.Struct):
        return hint
    inner, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    return Annotated[(inner | UnsetType, *extras)] if extras else inner | UnsetType


def _annotation(hint: Any) -> Any:
    """Return a field's type for pydantic: parts that are records as models, absent as None, bounds as its own."""
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *extras = get_args(hint)
        return Annotated[(_annotation(inner), *_constraints(extras))]
    if origin in _UNIONS:
        return reduce(or_, (_annotation(None if each is UnsetType else each) for each in get_args(hint)))
    if origin in (list, dict):
        return origin[tuple(_annotation(each) for each in get_args(hint))]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return model_of(hint)
    return str if hint is bytes else hint  # bytes are base64 text in JSON


def _constraints(extras: list[Any]) -> Iterator[Any]:
    """Yield a field's specification as pydantic's own."""
    for extra in extras:
        if isinstance(extra, Spec):
            bounds = {"ge": extra.ge, "gt": extra.gt, "le": extra.le, "min_length": extra.min_length}
            known: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
            yield Field(description=extra.text or None, **known)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    """Return a field's default; one that JSON Schema cannot show as a value (UNSET, a record) is None."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    if field.default is msgspec.NODEFAULT:
        return ...
    return None if field.default is UNSET or isinstance(field.default, msgspec.Struct) else field.default


class Recording(model_of(lines.RawFrame)):  # type: ignore[misc]  # made at import
    """One line of a recording: a text frame in `frame`, or a binary one as base64 in `frame_base64`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["frame"]}, {"required": ["frame_base64"]}]},
    )

    @model_validator(mode="after")
    def _one_frame(self) -> Self:
        if (self.frame is None) == (self.frame_base64 is None):
            raise ValueError("exactly one of frame and frame_base64 must be given")
        return self


def texts(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return the meaning of each field of a record, by its name."""
    hints = get_type_hints(record, include_extras=True)
    return {
        name: next((each.text for each in reversed(get_args(hints[name])[1:]) if isinstance(each, Spec)), "")
        for name in record.__struct_fields__
    }


CONTRACTS: Final[dict[str, type[Contract]]] = {
    "liquidation": model_of(events.Liquidation),
    "trade": model_of(events.Trade),
    "trade_bar": model_of(events.TradeBar),
    "mark_price": model_of(events.MarkPrice),
    "open_interest": model_of(events.OpenInterest),
    "volatility_index": model_of(events.VolatilityIndex),
    "gap": model_of(events.Gap),
    "heartbeat": model_of(events.Heartbeat),
    "signal": model_of(signals.Signal),
    "summary": model_of(summary.Summary),
    "recording": Recording,
    "decode_error": model_of(lines.DecodeError),
}
"""Models by record type: the ``type`` field's value, or the name of a line that has none."""


def checked(record: type[T], line: str | bytes) -> T:
    """Return a record read from its JSON, with the bounds of its fields checked.

    Raises:
        pydantic.ValidationError: the JSON is not that record, or a value is out of its bounds.
    """
    model_of(record).model_validate_json(line)
    return msgspec.json.decode(line, type=record)


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one record type; ``KeyError`` where there is none of that name."""
    schema = CONTRACTS[name].model_json_schema(mode="validation")
    return {"$schema": DIALECT, "$id": f"urn:cascade-monitor:{name}.v1", **schema}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas of all record types, by name."""
    return {name: json_schema(name) for name in CONTRACTS}
