"""The list of files that still break the linter's newer rules only shrinks."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.paths import ROOT

BEGIN, END = "# Still to be mended", "# End of what is still to be mended"
TEXT: Final = (ROOT / "pyproject.toml").read_text()


def listed() -> dict[str, set[str]]:
    """Rules by file, as they stand between the two marks of ``pyproject.toml``."""
    if BEGIN not in TEXT:
        return {}
    part = TEXT.partition(BEGIN)[2].partition("\n")[2].partition(END)[0]
    return {name: set(rules) for name, rules in tomllib.loads(part).items()}


def test_every_listed_file_still_breaks_its_rules() -> None:
    """A file that was mended, or is gone, leaves the list with the rules that it keeps by now."""
    wanted = listed()
    missing = [name for name in wanted if not (ROOT / name).is_file()]
    assert missing == [], "remove these lines from pyproject.toml"
    limits = tomllib.loads(TEXT)["tool"]["ruff"]["lint"]["pylint"]
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--preview",
        "--output-format",
        "json",
        "--exit-zero",
    ]
    command += [part for name, value in limits.items() for part in ("--config", f"lint.pylint.{name}={value}")]
    command += ["--select", ",".join(sorted(set().union(*wanted.values()))), *wanted] if wanted else ["--version"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    broken: dict[str, set[str]] = defaultdict(set)
    for finding in json.loads(result.stdout) if wanted else ():
        broken[Path(finding["filename"]).relative_to(ROOT).as_posix()].add(finding["code"])
    kept = {name: sorted(rules - broken[name]) for name, rules in wanted.items() if rules - broken[name]}
    assert kept == {}, "these files keep these rules by now: remove them from pyproject.toml"
