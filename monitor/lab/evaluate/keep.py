"""Keeps the results of examined markets in a folder, so that a run can be continued or divided into parts.

The name of a file holds a hash of everything on which the result depends: the market (seed and size, or the bytes of
its files), the detector's settings, the options, and the source code that decides. If any of it changes, the name
changes, so a stale result is never read.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

import monitor
from monitor.lab.evaluate.examine import Examination, Plan, examine
from monitor.lab.evaluate.markets.cases import Simulated, Source
from monitor.model.errors import OperatorError
from monitor.storage.atomic_file import replace_file

ROOT: Final = Path(monitor.__file__).parent
DETECTS: Final = (
    "monitor.model",
    "monitor.detect",
    "monitor.lab.evaluate.examine",
    "monitor.lab.evaluate.markets",
    "monitor.lab.evaluate.trials",
    "monitor.lab.onset",
    "monitor.lab.rolling",
    "monitor.lab.simulate.faults",
)
"""Modules and packages on which the result of every market depends."""
SIMULATES: Final = ("monitor.lab.simulate.book", "monitor.lab.simulate.impact", "monitor.lab.simulate.world")
"""Modules and packages on which the result of a simulated market depends as well."""
READS: Final = ("monitor.exchanges", "monitor.collect", "monitor.cli.replay")
"""Modules and packages on which the result of recorded files depends as well."""


class StoredResult(msgspec.Struct, frozen=True):
    """The content of a result file."""

    key: str
    market: str
    examined: Examination


class ResultFile(msgspec.Struct, frozen=True):
    """The file in which one market's result is kept; it need not exist yet."""

    path: Path
    key: str

    def find(self) -> Examination | None:
        """Return the stored result, or None if there is none. Raises ``OperatorError`` for an unreadable file."""
        try:
            kept = msgspec.json.decode(self.path.read_bytes(), type=StoredResult)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise OperatorError(f"{self.path} is not a result of evaluate ({error}); remove it") from None
        if kept.key != self.key:
            raise OperatorError(f"{self.path} is the result of another market or another version; remove it")
        return kept.examined

    def put(self, examined: Examination) -> None:
        """Store the result; a reader finds all of it or nothing."""
        stored = StoredResult(self.key, examined.exposure.world, examined)
        replace_file(self.path, msgspec.json.encode(stored), several_writers=True)


def result_file(folder: Path, source: Source, plan: Plan) -> ResultFile:
    """Return the file in which the result of a market is kept."""
    depends_on = [
        *source.identity(),
        code_hash(DETECTS + (SIMULATES if isinstance(source, Simulated) else READS)),
        plan.settings,
        plan.trigger,
        str(plan.rules),
        str(plan.matrix),
        platform.python_version(),
        np.__version__,
    ]
    key = hashlib.sha256(msgspec.json.encode(depends_on)).hexdigest()
    name = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in source.name)
    return ResultFile(folder / f"{name[:80]}-{key[:16]}.json", key)


def examine_and_keep(source: Source, plan: Plan, kept: ResultFile | None) -> Examination:
    """Examine a market, store the result as soon as it is there, and return it.

    Raises:
        OperatorError: what the result depends on has changed since the run began, which a new process would not notice.
    """
    if kept is not None and result_file(kept.path.parent, source, plan) != kept:
        raise OperatorError(
            f"{source.name} or the program changed during the run: start again, the finished markets are kept"
        )
    examined = examine(source, plan)
    if kept is not None:
        kept.put(examined)
    return examined


@cache
def code_hash(parts: tuple[str, ...]) -> str:
    """Return a hash of the source code of these modules and packages."""
    digest = hashlib.sha256()
    for path in sorted(path for part in parts for path in sources(part)):
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sources(part: str) -> Iterable[Path]:
    """Return the source files of a module or package. Raises ``ModuleNotFoundError`` where there is none."""
    spec = find_spec(part)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{part}, which an evaluation depends on, is not there", name=part)
    return Path(spec.origin).parent.rglob("*.py") if spec.submodule_search_locations else (Path(spec.origin),)
