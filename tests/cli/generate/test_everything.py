from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.cli.generate import configuration_page, everything, exchanges_page, live_configuration, topics_document
from tests.paths import ROOT

WRITTEN = (
    configuration_page.EXAMPLE,
    configuration_page.REFERENCE,
    exchanges_page.DOCUMENT,
    live_configuration.LIVE,
    topics_document.DOCUMENT,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything was generated."""
    root = tmp_path_factory.mktemp("generated")
    for folder in ("configs", "docs"):
        (root / folder).mkdir()
    everything.main(root)
    return root


@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_a_committed_file_is_what_is_generated(made: Path, path: Path) -> None:
    """Whoever changes the code and forgets the pages is told the command."""
    assert (ROOT / path).read_bytes() == (made / path).read_bytes(), f"{path} is out of date: run make generate"


def test_nothing_else_is_written(made: Path) -> None:
    """Each generated file has its row in the test above."""
    assert {path.relative_to(made) for path in made.rglob("*") if path.is_file()} == set(WRITTEN)


def test_no_generator_is_left_out() -> None:
    """Every module of the folder with a ``main`` is run, and `make generate` runs them and the dashboards' source."""
    folder = ROOT / "monitor" / "cli" / "generate"
    modules = {path.stem for path in folder.glob("[!_]*.py") if "def main(" in path.read_text()} - {"everything"}
    assert {generator.__module__.rpartition(".")[2] for generator in everything.GENERATORS} == modules
    (recipe,) = re.findall(r"^generate:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    assert "-m monitor.cli.generate.everything" in recipe
    assert "-m deploy.grafana.boards" in recipe
