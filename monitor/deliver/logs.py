"""Configures logging on standard error: lines for people, or one JSON object a line for a log collector."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import orjson

_COLOURS: Final = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}
"""ANSI colour codes by level; info has none, so that warnings and errors stand out."""

_CHATTY: Final = ("websockets", "httpx", "httpcore", "aiokafka", "asyncio")
"""Libraries whose info messages are suppressed, because the monitor counts the same events."""


def wants_colour(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return True if ``stream`` is a terminal and ``NO_COLOR`` is not set (https://no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR")


_DIRECTIONS: Final = (*range(0x2028, 0x202F), *range(0x2066, 0x206A))
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"} | {
    code: f"\\u{code:04x}" for code in _DIRECTIONS
}
"""How characters that move the cursor, colour the terminal or turn the direction of writing are shown, by code.

Texts of exchanges and of peers come into log lines and tracebacks; a terminal must not obey them."""


class ConsoleFormatter(logging.Formatter):
    """Formats a record as ``2026-03-01 12:00:01.250Z warning collect.connection.session: text``, time in UTC."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, followed by the traceback if there is one."""
        at = datetime.fromtimestamp(record.created, UTC)
        name = record.name.removeprefix("monitor.")
        message = record.getMessage().translate(_CONTROLS).replace("\n", "\\n")
        text = f"{at:%Y-%m-%d %H:%M:%S}.{int(record.msecs):03d}Z {record.levelname.lower()} {name}: {message}"
        if self._colour and (code := _COLOURS.get(record.levelname)):
            text = f"\x1b[{code}m{text}\x1b[0m"
        return f"{text}\n{self.formatException(record.exc_info).translate(_CONTROLS)}" if record.exc_info else text


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object with time, level, logger, message and, as ``error``, the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the message contains."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure(level: str, format: Literal["console", "json"], stream: TextIO | None = None) -> None:  # noqa: A002
    """Send all logging to ``stream`` (standard error), in place of earlier handlers."""
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(JsonFormatter() if format == "json" else ConsoleFormatter(colour=wants_colour(target)))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
