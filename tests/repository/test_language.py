"""Texts are whole sentences in plain words: docstrings, settings, metrics, alerts, panels and command-line help."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from monitor.cli.main import cli
from monitor.deliver.metrics.monitor import MonitorMetrics
from monitor.settings.keys import keys
from monitor.settings.tree import Settings
from tests.deliver.metrics.test_everything_counted import EVERYTHING
from tests.deploy.dashboards import DASHBOARDS, panels
from tests.deploy.test_rules import ALERTS
from tests.paths import ROOT

PERSONIFIED: Final = re.compile(
    r"\b(speaks?|spoke|tells?|told|wants?|wanted|dies|died|asks?|asked|hears?|heard|says?|said)\b", re.IGNORECASE
)
"""Verbs of people that the texts had for programs, feeds and prices; the plain verb is at hand (report, request)."""
RIDDLE: Final = re.compile(r"(What|Whether|How|Where|Which|Why|Who)\b|\.\.\.|…|[a-z]")
"""Beginnings of a docstring's first line that continue the name instead of making a sentence."""


def modules() -> dict[str, Path]:
    """Every module of the package and of the generated boards, by its path from the root."""
    found = [*(ROOT / "monitor").rglob("*.py"), *(ROOT / "deploy").rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path for path in sorted(found)}


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Every docstring of a module with the line of what it describes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def faults(source: str) -> list[str]:
    """What the rules find in a module's docstrings: the line, and the words at fault."""
    found = []
    for line, text in docstrings(source):
        if RIDDLE.match(text):
            found.append(f"line {line}: the first line begins {text[:30]!r}; begin with a verb or a noun")
        found += [f"line {line}: {match[0]!r}; things do what things do" for match in PERSONIFIED.finditer(text)]
    return found


def test_docstrings_are_plain_sentences() -> None:
    """No docstring begins as a riddle or gives a thing a person's verb."""
    wrong = {name: faults(path.read_text()) for name, path in modules().items()}
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("docstring", "count"),
    [
        ("Return the share of open interest.", 0),
        ("``run`` starts a role.", 0),
        ("Whether there is enough.", 1),
        ("What a feed says of itself.", 2),
        ("how much of it.", 1),
        ("... and more.", 1),
        ("Count the seconds.\n\n    A feed that dies is told of.", 2),
    ],
)
def test_riddles_and_personifications_are_found(docstring: str, count: int) -> None:
    """The check finds a first line that continues the name, and verbs of people anywhere."""
    assert len(faults(f'def f():\n    """{docstring}"""\n')) == count


def sentences() -> Iterator[tuple[str, str]]:
    """Every text that must be whole sentences: where it stands, and the text."""
    for family in MonitorMetrics(lambda: EVERYTHING).families():
        yield f"HELP {family.name}", family.help_text
    for rule in ALERTS:
        yield f"alert {rule['alert']}", rule["annotations"]["description"]
    for group in yaml.safe_load((ROOT / "deploy/grafana/provisioning/alerting/rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"Grafana's alert {rule['title']}", rule["annotations"]["description"]
    for board in DASHBOARDS.values():
        yield f"dashboard {board['title']}", board["description"]
        for panel in panels(board):
            yield f"panel {board['title']} / {panel['title']}", panel["description"]
    for key in keys(Settings):
        yield f"setting {key.dotted}", key.field.description or ""
    for name, command in commands(cli):
        yield f"command {name}", command.help or ""
        for option in command.params:
            if isinstance(option, click.Option):
                yield f"command {name} {option.opts[0]}", option.help or ""


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, with their names."""
    yield path or "cascade-monitor", command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}".strip())


@pytest.mark.parametrize(("where", "text"), list(sentences()), ids=lambda value: str(value)[:60])
def test_text_is_whole_plain_sentences(where: str, text: str) -> None:
    """Each begins with a capital letter, a number or a value in backquotes, ends with a full stop, and is plain."""
    text = text.strip()
    assert re.match(r"[A-Z0-9`]", text), f"{where}: {text}"
    assert re.search(r"[^.]\.$", text), f"{where}: {text}"
    assert not PERSONIFIED.search(text), f"{where}: {text}"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_summary_is_one_plain_line(rule: dict[str, Any]) -> None:
    """An alert's summary is one line that names the thing and its state, without a full stop."""
    summary = rule["annotations"]["summary"]
    assert re.match(r"[A-Z{]", summary)
    assert "\n" not in summary
    assert not summary.endswith(".")
    assert not PERSONIFIED.search(summary)
