import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from monitor.deliver import logs


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """True."""
        return True


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Leave the root logger as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    try:
        int("inner")
    except ValueError:
        logging.getLogger("monitor.collect.connection.session").exception("failed on %s", "okx")


def test_console_line_has_time_level_short_name_and_text() -> None:
    """A line for people names the module without the package."""
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    logging.getLogger("monitor.deliver.http").warning("port %d", 1)
    logging.getLogger("monitor").debug("not shown")
    line = stream.getvalue()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z warning deliver\.http: port 1\n", line)
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_console_line_keeps_the_traceback() -> None:
    """What failed is shown after its line."""
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    fail()
    assert "error collect.connection.session: failed on okx\nTraceback" in stream.getvalue()
    assert stream.getvalue().endswith("base 10: 'inner'\n")


def test_json_line_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for a collector is one JSON object, also with a traceback in it."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    fail()
    logging.getLogger("x").info("plain")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["level"] == "error"
    assert first["logger"] == "monitor.collect.connection.session"
    assert first["message"] == "failed on okx"
    assert "base 10: 'inner'" in first["error"]
    assert first["time"].endswith("+00:00")
    assert second.keys() == {"time", "level", "logger", "message"}


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_needs_a_terminal_and_no_refusal(no_color: str, coloured: bool) -> None:
    """Colour is for terminals, unless NO_COLOR is set to anything."""
    assert logs.wants_colour(Terminal(), {"NO_COLOR": no_color}) is coloured
    assert not logs.wants_colour(io.StringIO(), {})


def test_colour_marks_what_is_not_info(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal warnings stand out and info does not."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    logs.configure("info", "console", stream)
    logging.getLogger("x").info("plain")
    logging.getLogger("x").warning("marked")
    plain, marked = stream.getvalue().splitlines()
    assert "\x1b" not in plain
    assert marked.startswith("\x1b[33m")
    assert marked.endswith("\x1b[0m")


def test_libraries_are_quiet_below_warning() -> None:
    """A library's chatter is not shown at info, its warnings are, and at error they are not."""
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    logging.getLogger("httpx").info("chatter")
    logging.getLogger("httpx").warning("trouble")
    logs.configure("error", "console", stream)
    logging.getLogger("httpx").warning("not shown")
    assert "chatter" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_texts_of_peers_cannot_move_the_terminal() -> None:
    """Escape sequences, bells, line breaks and turned writing of a peer stay visible text on the line."""
    stream = io.StringIO()
    logs.configure("info", "console", stream)
    logging.getLogger("monitor.collect").warning("refused: %s", "\x1b[2Jfake\r\n12:00:00 info\x07\x9b\u202e")
    line = stream.getvalue()
    assert line.endswith("refused: \\x1b[2Jfake\\x0d\\n12:00:00 info\\x07\\x9b\\u202e\n")
    try:
        int("\x1b[31mred\x07")
    except ValueError:
        logging.getLogger("monitor.collect").exception("failed")
    assert "\x1b" not in stream.getvalue()
