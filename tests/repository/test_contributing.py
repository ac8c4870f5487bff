"""The page that tells contributors which file to open names files, and names within them, that exist."""

from __future__ import annotations

import re
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


def test_there_are_ten_tasks() -> None:
    """The page answers the ten questions that newcomers have."""
    assert len(TASKS) == 10


@pytest.mark.parametrize(("task", "answer"), TASKS, ids=[task for task, _ in TASKS])
def test_a_task_names_files_that_exist(task: str, answer: str) -> None:
    """Every file of an answer is there, and every name of the code stands in one of them."""
    named = files(answer)
    assert named, task
    assert [path for path in named if not path.exists()] == []
    text = "".join(path.read_text(encoding="utf-8") for path in named if path.is_file())
    assert [name for name in CODE_NAME.findall(answer) if not re.search(rf"\b{name}\b", text)] == []


def test_every_other_path_exists() -> None:
    """Paths elsewhere on the page are in the checkout."""
    named = re.findall(r"`((?:monitor|tests|\.ci)/[\w./]+)`", PAGE) + re.findall(r" (tests/[\w./]+\.py)`", PAGE)
    assert [path for path in named if not (ROOT / path).exists()] == []
