"""Walks the settings tree: its keys, and the key that a path means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

NAME: Final = "<name>"
"""Placeholder in a key's path for a name that the user chooses, such as a venue's."""


class Key(NamedTuple):
    """A key with its path, its field, and its section if it is not a leaf."""

    path: tuple[str, ...]
    field: FieldInfo
    section: type[BaseModel] | None

    @property
    def dotted(self) -> str:
        """Return the key's path with dots, such as ``bus.kafka.partitions``."""
        return ".".join(self.path)

    @property
    def secret(self) -> bool:
        """Return true if the value must never be shown."""
        return self.field.annotation is SecretStr or SecretStr in get_args(self.field.annotation)


def section_of(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the section that an annotation holds, if any, and True if it holds several of them by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    if get_origin(annotation) is dict:
        section, _ = section_of(get_args(annotation)[1])
        return section, section is not None
    return None, False


def keys(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield all keys in the order of the tree; a section precedes its keys."""
    for name, field in model.model_fields.items():
        section, by_name = section_of(field.annotation)
        path = (*prefix, name)
        yield Key(path, field, section)
        if section is not None:
            yield from keys(section, (*path, NAME) if by_name else path)


def resolve(model: type[BaseModel], location: Sequence[object]) -> tuple[Key | None, type[BaseModel] | None]:
    """Return the key of the longest valid part of ``location``, and the section in which its rest was looked up.

    The key is None if not even the first part is valid.
    """
    key: Key | None = None
    section: type[BaseModel] | None = model
    path: list[str] = []
    parts = iter([str(part) for part in location])
    for part in parts:
        if section is None or part not in section.model_fields:
            break
        path.append(part)
        field = section.model_fields[part]
        section, by_name = section_of(field.annotation)
        if by_name and (name := next(parts, None)) is not None:
            path.append(name)
        key = Key(tuple(path), field, section)
    return key, section
