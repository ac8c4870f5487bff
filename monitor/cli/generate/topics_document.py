"""Makes ``docs/asyncapi.json``, the topics as an AsyncAPI 3 document, from :mod:`monitor.bus.asyncapi`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson

from monitor.bus.asyncapi import document

DOCUMENT: Final = Path("docs/asyncapi.json")


def text() -> str:
    """Return the document as indented JSON, as ``cascade-monitor schema --asyncapi`` prints it."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"


def main(root: Path = Path()) -> None:
    """Write the document below ``root``."""
    (root / DOCUMENT).write_text(text(), encoding="utf-8")
