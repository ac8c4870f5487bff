"""Makes ``configs/example.yaml`` and ``docs/configuration.md`` from the settings tree.

``make generate`` writes both; a test compares the committed files with the code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from monitor.settings.keys import NAME, Key, keys
from monitor.settings.tree import Settings

EXAMPLE: Final = Path("configs/example.yaml")
REFERENCE: Final = Path("docs/configuration.md")

_WIDTH: Final = 110

_EXAMPLE_HEAD: Final = """\
# Every setting with its default, generated from monitor/settings/tree.py by `make generate`.
# Copy what you change; leave out the rest. docs/configuration.md has the same as a table.
"""

_REFERENCE_HEAD: Final = """\
# Configuration

Every setting, its default and the reason for it. Generated from `monitor/settings/tree.py` by
`make generate`; change it there.

`cascade-monitor run --config FILE` reads settings from several places. The first that has a key wins:

1. the command line;
2. environment variables: `CASCADE_` and the key's path in capitals, joined by two underscores, dashes as
   underscores (`CASCADE_DELIVERY__PORT=9200`, `CASCADE_VENUES__BINANCE_USDM__SYMBOLS=BTCUSDT,ETHUSDT`);
3. secret files: in the folder that `CASCADE_SECRETS_DIR` names, a file called like the variable in small letters
   (`cascade_bus__kafka__password`);
4. the YAML file;
5. the defaults below.

Mappings are merged key by key, lists are replaced. A key that ends in `_file` names a file that holds the secret of
the same name. Relative paths start at the working directory. An unknown key or a value that does not fit stops the
start with the place, the key and the nearest valid name; messages, logs and metrics never show a value of a secret.

| key | type | default | what it is, and why the default |
|---|---|---|---|
"""

_PLAIN: Final = {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path", SecretStr: "secret"}


def type_words(annotation: Any) -> str:
    """Return a type in words, such as ``one of memory, kafka`` or ``list of text, or empty``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return ", or ".join("empty" if part is NoneType else type_words(part) for part in arguments)
    if origin is Literal:
        values = ", ".join(f"`{value}`" for value in arguments)
        return values if len(arguments) == 1 else f"one of {values}"
    if origin is tuple:
        return f"list of {type_words(arguments[0])}"
    if origin is dict:
        return f"mapping of {type_words(arguments[0])} to {type_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"mapping with {', '.join(annotation.model_fields)}"
    if origin is Annotated:
        return type_words(arguments[0])
    return _PLAIN[annotation]


def limits(field: FieldInfo) -> str:
    """Return the bounds of a number in words, empty without bounds."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    bounds = []
    for item in field.metadata:
        for name, text in words.items():
            if (bound := getattr(item, name, None)) is not None:
                bounds.append(f"{text} {bound}")
    return " and ".join(bounds)


def default_of(field: FieldInfo) -> str:
    """Return a setting's default as YAML in flow style."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    if value is None or isinstance(value, bool | int | float | dict):
        return json.dumps(value)
    return str(value) or '""'


def _leaf_words(key: Key) -> str:
    bounds = limits(key.field)
    return type_words(key.field.annotation) + (f", {bounds}" if bounds else "")


def example() -> str:
    """Return the example file: every key with description and default, each venue in full."""
    venues = list(Settings().venues)
    lines = list(_example_lines([key for key in keys(Settings) if NAME not in key.path], venues))
    return _EXAMPLE_HEAD + "\n".join(lines) + "\n"


def _example_lines(leaves: list[Key], venues: list[str]) -> Iterator[str]:
    named = [key for key in keys(Settings) if NAME in key.path]
    for key in leaves:
        depth = len(key.path) - 1
        if depth == 0:
            yield ""
        yield from _comment(key.field.description or "", depth)
        yield _setting(key)
        for number, venue in enumerate(venues if key.path == ("venues",) else []):
            yield f"  {venue}:"
            for inner in named:
                if number == 0:
                    yield from _comment(inner.field.description or "", 2)
                yield _setting(inner)


def _comment(text: str, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for line in wrap(text, _WIDTH - len(indent) - 2):
        yield f"{indent}# {line}"


def _setting(key: Key) -> str:
    indent = "  " * (len(key.path) - 1)
    return f"{indent}{key.path[-1]}:" if key.section else f"{indent}{key.path[-1]}: {default_of(key.field)}"


def reference() -> str:
    """Return the configuration page: the precedence of the sources, and one table row a key."""
    return _REFERENCE_HEAD + "".join(_row(key) for key in keys(Settings) if key.section is None)


def _row(key: Key) -> str:
    cells = (f"`{key.dotted}`", _leaf_words(key), f"`{default_of(key.field)}`", key.field.description or "")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def main(root: Path = Path()) -> None:
    """Write both files below ``root``."""
    (root / EXAMPLE).write_text(example(), encoding="utf-8")
    (root / REFERENCE).write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
