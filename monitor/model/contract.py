"""Defines how a field of a record states its meaning, its unit and its bounds, for schemas and documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Spec:
    """Meaning and bounds of a field, as metadata of its type: ``Annotated[float, Spec("Amount, USD.", ge=0)]``.

    Decoders ignore it, so a record costs nothing more to read; impossible values are refused by
    :mod:`monitor.model.validation`, with the reason. JSON Schemas and the models of :mod:`monitor.model.schema` are
    made from it.

    Attributes:
        text: meaning with the unit, in a sentence; empty where name and type leave nothing open.
        ge: smallest value, included.
        gt: largest value below all that are possible.
        le: largest value, included.
        min_length: smallest number of characters.
    """

    text: str = ""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    min_length: int | None = None


Micros = Annotated[int, Spec("Microseconds since the Unix epoch, UTC.", ge=0)]
Count = Annotated[int, Spec(ge=0)]
Usd = Annotated[float, Spec(ge=0)]
Price = Annotated[float, Spec(gt=0)]
Quantity = Annotated[float, Spec(ge=0)]
Share = Annotated[float, Spec(ge=0, le=1)]
Score = Annotated[float, Spec(ge=0, le=100)]
"""Types of fields with the bounds that all such fields have; ``Annotated[Usd, Spec("...")]`` adds a meaning."""
