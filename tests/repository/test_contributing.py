"""The page that tells contributors which file to open names files, and names within them, that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.paths import ROOT

PAGE: Final = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TASKS: Final = re.findall(
    r"^\| (?!you want|---)([^|]+) \| ([^|]+) \|$", PAGE.partition("## Which file to open")[2], re.M
)
"""Each task with its answer."""
CODE_NAME: Final = re.compile(r"`(_?[A-Za-z_]*[A-Z_][A-Za-z_]*|channels|keepalive)`")
"""What is in backticks and no path: a constant, a class, a function."""


def files(answer: str) -> list[Path]:
    """Return the files and folders below ``monitor/`` that an answer names."""
    folder = Path()
    found = []
    for name in re.findall(r"`([\w/]+(?:\.py|\.js|/))`", answer):
        if name.endswith("/"):
            folder = Path(name)
        path = Path(name) if "/" in name else folder / name
        found.append(ROOT / "monitor" / path)
    return found


def definitions(tree: ast.AST) -> Iterator[str]:
    """Yield every name that a module or a class body defines, local variables and imports left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef | ast.If | ast.Try):
            yield from definitions(node)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def defined_in(path: Path) -> set[str]:
    """Return the names that a file of Python defines."""
    if path.suffix != ".py" or not path.is_file():
        return set()
    return set(definitions(ast.parse(path.read_text(encoding="utf-8"))))


def test_there_are_ten_tasks() -> None:
    """The page answers the ten questions that newcomers have."""
    assert len(TASKS) == 10


@pytest.mark.parametrize(("task", "answer"), TASKS, ids=[task for task, _ in TASKS])
def test_a_task_names_files_that_exist(task: str, answer: str) -> None:
    """Every file of an answer is there, and every name of the code is defined in one of them."""
    named = files(answer)
    assert named, task
    assert [path for path in named if not path.exists()] == []
    assert set(CODE_NAME.findall(answer)) - set().union(*map(defined_in, named)) == set()


def test_an_imported_name_is_not_defined(tmp_path: Path) -> None:
    """A name that a file only imports or uses does not count as defined there; constants and methods do."""
    path = tmp_path / "module.py"
    path.write_text("from other import Gone\nSIZE: int = 1\nclass Room:\n    def size(self):\n        local = Gone()\n")
    assert defined_in(path) == {"SIZE", "Room", "size"}


def test_every_other_path_exists() -> None:
    """Paths elsewhere on the page are in the checkout."""
    named = re.findall(r"`((?:monitor|tests|\.ci)/[\w./]+)`", PAGE) + re.findall(r" (tests/[\w./]+\.py)`", PAGE)
    assert [path for path in named if not (ROOT / path).exists()] == []
