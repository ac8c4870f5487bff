"""The set-up of each make target installs what that target needs and no more."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from typing import Final

import pytest

from tests.paths import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
IMPORTED_AS: Final = {"pyyaml": "yaml"}
"""Packages whose module has another name."""
BY_HAND: Final = {"monitor/lab/bench", "monitor/lab/evaluate/plots.py", "monitor/lab/pictures.py"}
"""Below these stands what only a developer or the extra `plots` needs."""


def commands(target: str) -> str:
    """Return every command that a target runs on a fresh clone."""
    asked = ["make", "--dry-run", "--always-make", "PYTHON=python3", target]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("target", ["runtime", "demo"])
def test_the_demo_installs_no_tools_of_developers(target: str) -> None:
    """What runs the monitor is made from the runtime's lock and the build's, with hashes, and nothing else."""
    installs = re.findall(r"pip install .*", commands(target))
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []
    assert set(re.findall(r"requirements/(\w+)\.lock", " ".join(installs))) == {"runtime", "build"}


@pytest.mark.parametrize(
    "target", ["setup", "test", "test-deep", "coverage", "check", "format", "generate", "pictures"]
)
def test_the_developers_targets_add_their_tools(target: str) -> None:
    """A developer's target installs the developers' lock on top of the runtime's."""
    text = commands(target)
    assert 0 < text.index("-r requirements/runtime.lock") < text.index("-r requirements/dev.lock")


def test_the_monitor_imports_only_what_its_runtime_installs() -> None:
    """No module that runs on duty or in the demo imports a package that the project does not depend on."""
    names = (re.split(r"[\[<>=; ]", entry)[0] for entry in PROJECT["project"]["dependencies"])
    allowed = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} | {"monitor", "pydantic_core"}
    stray = []
    for path in sorted((ROOT / "monitor").rglob("*.py")):
        shown = path.relative_to(ROOT)
        if {str(shown), *map(str, shown.parents)} & BY_HAND:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            tops = {module.partition(".")[0] for module in modules} - allowed - sys.stdlib_module_names
            stray += [f"{shown}:{getattr(node, 'lineno', 0)}: {top}" for top in sorted(tops)]
    assert stray == []
