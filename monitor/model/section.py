"""The base of every group of settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of keys: unknown ones are refused, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def split_commas(value: object) -> object:
    """Split ``a,b``, as in an environment variable, into the list of both."""
    if isinstance(value, str) and value != "all":
        return [part.strip() for part in value.split(",") if part.strip()]
    return value
