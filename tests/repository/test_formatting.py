"""The formatter lays out all code but tables of constants."""

from __future__ import annotations

import ast
from typing import Final

import pytest

from tests.paths import ROOT

SKIP: Final = "# fmt: skip"
LEAST: Final = 6
"""Entries from which on a constant is a table."""


def tables(source: str) -> set[int]:
    """Return the last lines of a module's tables: constants of upper case whose value has six entries or more."""
    found = set()
    for node in ast.parse(source).body:
        value = node.value if isinstance(node, ast.AnnAssign | ast.Assign) else None
        entries = value.keys if isinstance(value, ast.Dict) else getattr(value, "elts", [])
        names = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if len(entries) >= LEAST and all(isinstance(name, ast.Name) and name.id.isupper() for name in names):
            found.add(node.end_lineno or 0)
    return found


def laid_out_by_hand(source: str) -> list[int]:
    """Return the lines at which the formatter is kept from something that is not a table."""
    lines = enumerate(source.splitlines(), 1)
    return [number for number, line in lines if line.endswith(SKIP) and number not in tables(source)]


def test_only_tables_are_laid_out_by_hand() -> None:
    """In the package and the dashboards' source, `fmt: skip` stands behind tables of constants alone."""
    paths = [*(ROOT / "monitor").rglob("*.py"), *(ROOT / "deploy").rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): laid_out_by_hand(path.read_text(encoding="utf-8")) for path in paths}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (f"HOURS: tuple = (\n 1, 2, 3,\n 4, 5, 6,\n)  {SKIP}\n", []),
        (f"HOURS = (\n 1, 2,\n)  {SKIP}\n", [3]),
        (f"hours = (\n 1, 2, 3,\n 4, 5, 6,\n)  {SKIP}\n", [4]),
        (f"call(\n 1, 2, 3,\n 4, 5, 6,\n)  {SKIP}\n", [4]),
        (f"def f():\n    HOURS = (\n     1, 2, 3,\n     4, 5, 6,\n    )  {SKIP}\n", [5]),
    ],
)
def test_tables_and_calls_are_distinguished(source: str, lines: list[int]) -> None:
    """A large constant of a module is a table; a small one, a variable or a call is not."""
    assert laid_out_by_hand(source) == lines
