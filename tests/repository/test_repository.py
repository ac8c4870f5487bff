"""The tree itself: nothing of a machine gets in, and what the texts name is there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import monitor
from monitor.cli.main import cli
from tests.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:home|root|Users|work|tmp)/\w")
"""A path that starts on somebody's machine."""
INDEX_HOST = re.compile(
    r"files\.python" + r"hosted|(?:artifactory|nexus|pypi)[\w-]*\.[a-z]|--(?:extra-)?index-url [^$]", re.I
)
"""A package index by name; the fragments are joined so that this line is no hit itself."""


def tracked_texts() -> list[Path]:
    """Every text file that is committed, or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:1024]]


def make_targets() -> set[str]:
    """Names of the Makefile's phony targets."""
    (line,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    return set(line.split())


@pytest.mark.parametrize("pattern", [MACHINE_PATH, INDEX_HOST], ids=["machine path", "package index"])
def test_nothing_of_a_machine_is_committed(pattern: re.Pattern[str]) -> None:
    """No committed text holds a path of somebody's machine or the address of a package index."""
    here = Path(__file__)
    hits = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked_texts()
        if path != here
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert hits == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_are_exact_and_without_addresses(lock: Path) -> None:
    """Every package of a lock has one version and a hash, and no line an address."""
    text = lock.read_text()
    assert "://" not in text
    blocks = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.M).strip())
    assert all(re.match(r"[\w.-]+(\[[\w, -]+\])?==[^\s;]+", block) and "--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize(("lock", "groups"), [("runtime", []), ("dev", ["build", "dev"]), ("bench", ["bench"])])
def test_locks_hold_what_the_project_asks_for(lock: str, groups: list[str]) -> None:
    """A dependency that was added without `make lock` is seen."""
    asked = list(PROJECT["project"]["dependencies"])
    for group in groups:
        asked += [entry for entry in PROJECT["dependency-groups"][group] if isinstance(entry, str)]
    names = {re.split(r"[\[<>=;, ]", entry)[0].lower().replace("_", "-") for entry in asked}
    locked = re.findall(r"^([\w.-]+)(?:\[.*\])?==", (ROOT / "requirements" / f"{lock}.lock").read_text(), re.M)
    assert names <= {name.lower().replace("_", "-") for name in locked}


def test_version_is_said_once() -> None:
    """The package, the project file and the changelog name the same version."""
    assert monitor.__version__ == PROJECT["project"]["version"]
    assert f"## [{monitor.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_make_targets_are_documented() -> None:
    """`make help` explains every target, and CONTRIBUTING names each."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\S+) +\S", listed, re.M)) == make_targets()
    named = set(re.findall(r"`make ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    assert make_targets() <= named


def test_files_under_the_strict_coverage_gate_exist() -> None:
    """A renamed module does not fall out of the 100 % gate in silence."""
    (listed,) = re.findall(r"^EXACT := (.*)$", (ROOT / "Makefile").read_text().replace("$\\\n", ""), re.M)
    assert all((ROOT / name.strip()).is_file() for name in listed.split(","))


def test_documents_name_real_commands() -> None:
    """Every `cascade-monitor …` and `make …` in the documents exists."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    text = "\n".join(document.read_text() for document in documents)
    assert set(re.findall(r"cascade-monitor ([a-z]+)\b", text)) <= set(cli.commands)
    assert set(re.findall(r"^(?:\$ )?make ([a-z-]+)\b|`make ([a-z-]+)`", text, re.M)) <= {
        pair for target in make_targets() for pair in ((target, ""), ("", target))
    }


def test_readme_lists_every_command() -> None:
    """A command that is not hidden has its row in the README."""
    readme = (ROOT / "README.md").read_text()
    shown = {name for name, command in cli.commands.items() if not command.hidden}
    assert {name for name in shown if f"| `{name}` |" not in readme} == set()


def test_documents_link_to_files_that_exist() -> None:
    """A relative link in a document leads somewhere."""
    for document in tracked_texts():
        if document.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)}: {target}"
