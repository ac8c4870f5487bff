"""The rooms of ``monitor/``: how large they are, which of them may import which, and that the tests mirror them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import pytest

from tests.paths import ROOT

PACKAGE: Final = ROOT / "monitor"
MOST_MODULES: Final = 20
"""Modules that a folder may hold: more than a reader can take in at one look."""
MAY_IMPORT: Final[dict[str, frozenset[str]]] = {
    "model": frozenset(),
    "storage": frozenset({"model"}),
    "exchanges": frozenset({"model"}),
    "bus": frozenset({"model"}),
    "collect": frozenset({"model", "storage", "exchanges", "bus"}),
    "detect": frozenset({"model"}),
    "deliver": frozenset({"model", "storage", "bus", "collect.stats", "collect.fleet_stats", "detect"}),
    "settings": frozenset({"model", "exchanges", "bus", "collect", "detect", "deliver"}),
    "roles": frozenset({"model", "storage", "exchanges", "bus", "collect", "detect", "deliver", "settings"}),
    "cli": frozenset(
        {"model", "storage", "exchanges", "bus", "collect", "detect", "deliver", "settings", "roles", "lab"}
    ),
    "lab": frozenset(
        {"model", "storage", "exchanges", "bus", "collect", "detect", "deliver", "settings", "roles", "cli"}
    ),
}
"""By room what it may import besides itself; ARCHITECTURE.md draws the same. Nothing on duty imports ``lab``."""
SUITES: Final = ("tests/deploy/", "tests/e2e/", "tests/examples/", "tests/kafka/", "tests/repository/")
"""Tests of the whole program or of files outside the package; every other test file stands beside its module."""
SEVERAL: Final = frozenset({
    "tests/bus/test_contract.py",  # one suite over every bus
    "tests/collect/test_conformance.py",  # one conversation with every exchange
    "tests/deliver/dashboard/test_browser.py",
    "tests/deliver/metrics/test_everything_counted.py",  # one snapshot of every part
    "tests/deliver/paging/test_restarts.py",
    "tests/detect/test_doctests.py",
    "tests/detect/test_hostile_events.py",
    "tests/detect/test_time_ahead.py",
    "tests/exchanges/test_absurd.py",
    "tests/roles/test_shards.py",
    "tests/exchanges/test_context_venues.py",
    "tests/exchanges/test_frames.py",
    "tests/exchanges/test_shapes.py",
    "tests/exchanges/test_usual_trades.py",
    "tests/lab/simulate/test_dialects_against_adapters.py",
})  # fmt: skip
"""Tests of a property that several modules of their room share."""


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    """The project's own modules and names that a module imports, dotted, without the leading ``monitor.``."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "monitor":
            yield from (f"{node.module}.{name.name}".partition(".")[2] for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name.partition(".")[2] for name in node.names if name.name.startswith("monitor."))


def is_allowed(room: str, target: str) -> bool:
    """Return whether a module of ``room`` may import ``target`` (``collect.stats.SessionStats``)."""
    if target == "__version__" or target.split(".")[0] == room:
        return True
    return any(target == allowed or target.startswith(f"{allowed}.") for allowed in MAY_IMPORT[room])


def test_every_room_is_in_the_table() -> None:
    """A new folder of the package states what it may import."""
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_in_one_direction(room: str) -> None:
    """No module imports a room that comes after its own on the data's way."""
    against = [
        f"{module.relative_to(ROOT)} imports monitor.{target}"
        for module in sorted((PACKAGE / room).rglob("*.py"))
        for target in imported(module)
        if not is_allowed(room, target)
    ]
    assert against == []


def test_no_module_lies_loose_beside_the_rooms() -> None:
    """The package's top holds nothing but its rooms, its version and its entry point."""
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}


def test_no_folder_holds_more_modules_than_a_reader_takes_in() -> None:
    """A folder that grows beyond about twenty modules is divided."""
    folders = {module.parent for module in modules()}
    sizes = {str(folder.relative_to(ROOT)): sum(1 for _ in folder.glob("[!_]*.py")) for folder in folders}
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_the_tests_mirror_the_package() -> None:
    """Every test file stands where its module does, under its name, or is one of the listed suites."""
    mirrored = {
        str(PurePosixPath("tests", *module.relative_to(PACKAGE).parent.parts, f"test_{module.name}"))
        for module in modules()
    }
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    stray = {file for file in files - mirrored - SEVERAL if not file.startswith(SUITES)}
    assert stray == set()
    assert files >= SEVERAL
