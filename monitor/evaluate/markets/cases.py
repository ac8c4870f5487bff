"""Where markets to evaluate on come from: simulated ones by seed, event files, folders of recordings."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from monitor.errors import OperatorError
from monitor.evaluate.markets.tape import Forced
from monitor.evaluate.markets.truth import Label, parse_truth, read_truth
from monitor.evaluate.trials.alerts import Key
from monitor.events import SIDES, AnyEvent
from monitor.recording import read, read_file
from monitor.replay import Playback
from monitor.simulate.world.settings import WorldSettings
from monitor.simulate.world.world import World

CONVERTER: Final = "to_events.py"
"""A folder of recordings in other forms holds a program of this name: ``to_events.py SET`` prints events."""
SUFFIXES: Final = (".jsonl", ".jsonl.gz")


class Case(NamedTuple):
    """One market: its name, its events by arrival, and its labels where its truth is known.

    ``forced`` is every forced order, shown by a feed or not, where the truth is that of a simulated market.
    """

    name: str
    events: list[AnyEvent]
    labels: list[Label] | None
    forced: dict[Key, Forced] | None = None


class Simulated(msgspec.Struct, frozen=True):
    """A simulated market, whose truth is exact."""

    seed: int
    days: float
    assets: int
    shocks: float = 1.0

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"seed {self.seed}"

    def identity(self) -> list[str]:
        """What it is made of: the same gives the same market."""
        return ["simulated", str(self.seed), repr(self.days), str(self.assets), repr(self.shocks)]

    def load(self) -> Case:
        """Make it."""
        world = World(WorldSettings(seed=self.seed, days=self.days, assets=self.assets, shocks=self.shocks))
        truth = [msgspec.json.encode(line) for line in (world.header(), *world.episodes(), *world.decoys())]
        events = [event for chunk in world.events() for event in chunk]
        return Case(self.name, events, parse_truth(truth, self.name), _forced(world))


def _forced(world: World) -> dict[Key, Forced]:
    """What was closed by force, by asset and side."""
    start_us = world.settings.start_us
    return {
        Key(market.spec.name, side): Forced(start_us + market.orders.time_us[mine], market.orders.micro_usd[mine])
        for market in world.markets
        for index, side in enumerate(SIDES)
        for mine in (market.orders.side == index,)
    }


class Recorded(msgspec.Struct, frozen=True):
    """Files of events or frames, merged by arrival, and their truth if there is a file of it."""

    name: str
    files: tuple[Path, ...]
    truth: Path | None = None

    def identity(self) -> list[str]:
        """Its name, which tables show, and what is in its files."""
        truth = () if self.truth is None else (self.truth,)
        return ["recorded", self.name, digest(self.files), digest(truth)]

    def load(self) -> Case:
        """Read them. Raises ``OSError``, or ``OperatorError`` for a truth file that cannot be read."""
        playback = Playback({str(path): read_file(path) for path in self.files})
        return Case(self.name, list(playback), None if self.truth is None else read_truth(self.truth))


class Converted(msgspec.Struct, frozen=True):
    """One set of a folder of recordings that has a converter."""

    name: str
    folder: Path

    def identity(self) -> list[str]:
        """Its name, the programs of its folder, and what is in its own files."""
        mine = [path for path in (self.folder / self.name).rglob("*") if path.is_file()]
        mine += self.folder.glob(f"{self.name}_*")
        return ["converted", self.name, digest(sorted(self.folder.glob("*.py"))), digest(sorted(mine))]

    def load(self) -> Case:
        """Convert it. Raises ``OperatorError`` where the converter fails."""
        command = [sys.executable, str(self.folder / CONVERTER), self.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - the folder was named by hand
            if process.stdout is None:  # pragma: no cover - it is a pipe
                raise RuntimeError("no pipe")
            events = list(Playback({self.name: read(process.stdout)}))
        if process.returncode:
            raise OperatorError(f"{' '.join(command)} ended with status {process.returncode}")
        return Case(self.name, events, None)


Source = Simulated | Recorded | Converted


def digest(paths: Iterable[Path]) -> str:
    """A hash of files' bytes, in their order. Raises ``OSError``."""
    lines = []
    for path in paths:
        with path.open("rb") as file:
            lines.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def recordings(folder: Path) -> list[Source]:
    """What a folder holds: the sets of its converter, or its event files, each with ``NAME.truth.jsonl`` beside it.

    Raises:
        OperatorError: it holds neither.
    """
    if (folder / CONVERTER).exists():
        return [Converted(name, folder) for name in sorted(_sets(folder))]
    files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES) and ".truth." not in path.name)
    if not files:
        raise OperatorError(f"{folder} holds neither {CONVERTER} nor files that end in {' or '.join(SUFFIXES)}")
    return [_with_truth(path) for path in files]


def _sets(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        if path.is_dir() and any(path.glob("*.csv.gz")):
            yield path.name
        elif path.name.startswith("aave_"):
            yield "aave"


def _with_truth(path: Path) -> Recorded:
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    truth = path.with_name(f"{name}.truth.jsonl")
    return Recorded(name, (path,), truth if truth.exists() else None)


def files(paths: Iterable[Path], truth: Path | None) -> Recorded:
    """Files that are one market."""
    named = tuple(paths)
    return Recorded(" ".join(path.name for path in named), named, truth)
