"""The snapshot's format: every part of it has a type, and another version's is refused with the remedy."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import inspect

from monitor.detect.asset_state import AssetSnapshot
from monitor.detect.detector_state import FORMAT, CommonSnapshot, OtherFormatError, check_format
from monitor.roles.market_shard import Kept


class Inner(msgspec.Struct):
    """A state with a part that has no type."""

    known: int
    unknown: Any


class Outer(msgspec.Struct):
    """A state that holds such states."""

    many: dict[str, list[Inner | None]]


def untyped(type_: Any, path: str = "", above: tuple[type, ...] = ()) -> list[str]:
    """Return the fields of a type, and of all types within it, that have no type of their own."""
    info = inspect.type_info(type_)
    found: list[str] = []

    def walk(each: Any, path: str, above: tuple[type, ...]) -> None:
        if isinstance(each, inspect.AnyType):
            found.append(path)
        kind = getattr(each, "cls", None)
        if kind in above:
            return
        for field in getattr(each, "fields", ()):
            walk(field.type, f"{path}.{field.name}", (*above, kind) if kind else above)
        for name in ("item_type", "key_type", "value_type"):
            if hasattr(each, name):
                walk(getattr(each, name), f"{path}[]", above)
        for inner in (*getattr(each, "types", ()), *getattr(each, "item_types", ())):
            walk(inner, path, above)

    walk(info, path, above)
    return found


@pytest.mark.parametrize("snapshot", [CommonSnapshot, AssetSnapshot, Kept])
def test_every_part_of_a_snapshot_has_a_type(snapshot: type[msgspec.Struct]) -> None:
    """Decoding a snapshot checks all of it, so a damaged one is found before anything is decided with it."""
    assert untyped(snapshot, snapshot.__name__) == []


def test_a_part_without_a_type_is_found() -> None:
    """The search finds one within lists, mappings, optional fields and nested states."""
    assert untyped(Outer) == [".many[][].unknown"]


@pytest.mark.parametrize("found", [FORMAT - 1, FORMAT + 1])
def test_another_format_is_refused(found: int) -> None:
    """An older and a newer snapshot are refused alike, and the error names both formats and who can read it."""
    with pytest.raises(OtherFormatError, match=f"format {found}, but this version reads {FORMAT}, so only the version"):
        check_format(found)
