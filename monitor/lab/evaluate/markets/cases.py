"""Loads the markets to evaluate on: simulated ones by seed, event files, and folders of recordings."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from monitor.collect.playback import Playback
from monitor.collect.recording import read, read_file
from monitor.lab.evaluate.markets.tape import AssetSide, Forced
from monitor.lab.evaluate.markets.truth import Label, parse_truth, read_truth
from monitor.lab.simulate.world.settings import WorldSettings
from monitor.lab.simulate.world.world import World
from monitor.model.errors import OperatorError
from monitor.model.events import SIDES, AnyEvent

CONVERTER: Final = "to_events.py"
"""Program in a folder of recordings of other forms: ``to_events.py SET`` prints the events of one set."""
SUFFIXES: Final = (".jsonl", ".jsonl.gz")


class Case(NamedTuple):
    """One market: its name, its events by arrival, and its labels where the truth is known.

    ``forced`` holds every forced order, reported by a feed or not, where the truth is that of a simulated market.
    """

    name: str
    events: list[AnyEvent]
    labels: list[Label] | None
    forced: dict[AssetSide, Forced] | None = None


class Simulated(msgspec.Struct, frozen=True):
    """A simulated market, whose truth is exact."""

    seed: int
    days: float
    assets: int
    shocks: float = 1.0

    @property
    def name(self) -> str:
        """Return the name in tables."""
        return f"seed {self.seed}"

    def identity(self) -> list[str]:
        """Return what the market depends on; equal identities give equal markets."""
        return ["simulated", str(self.seed), repr(self.days), str(self.assets), repr(self.shocks)]

    def load(self) -> Case:
        """Simulate the market."""
        world = World(WorldSettings(seed=self.seed, days=self.days, assets=self.assets, shocks=self.shocks))
        truth = [msgspec.json.encode(line) for line in (world.header(), *world.episodes(), *world.decoys())]
        events = [event for chunk in world.events() for event in chunk]
        return Case(self.name, events, parse_truth(truth, self.name), _forced_orders(world))


def _forced_orders(world: World) -> dict[AssetSide, Forced]:
    """Return all forced orders by asset and side."""
    start_us = world.settings.start_us
    return {
        AssetSide(market.spec.name, side): Forced(start_us + market.orders.time_us[mine], market.orders.micro_usd[mine])
        for market in world.markets
        for index, side in enumerate(SIDES)
        for mine in (market.orders.side == index,)
    }


class Recorded(msgspec.Struct, frozen=True):
    """Files of events or frames, merged by arrival, with a file of their truth if there is one."""

    name: str
    files: tuple[Path, ...]
    truth: Path | None = None

    def identity(self) -> list[str]:
        """Return the name and the hash of the files' contents."""
        truth = () if self.truth is None else (self.truth,)
        return ["recorded", self.name, hash_files(self.files), hash_files(truth)]

    def load(self) -> Case:
        """Read the files. Raises ``OSError``, or ``OperatorError`` for an unreadable truth file."""
        playback = Playback({str(path): read_file(path) for path in self.files})
        return Case(self.name, list(playback), None if self.truth is None else read_truth(self.truth))


class Converted(msgspec.Struct, frozen=True):
    """One set in a folder of recordings that has a converter."""

    name: str
    folder: Path

    def identity(self) -> list[str]:
        """Return the name and the hashes of the folder's programs and of the set's own files."""
        mine = [path for path in (self.folder / self.name).rglob("*") if path.is_file()]
        mine += self.folder.glob(f"{self.name}_*")
        return ["converted", self.name, hash_files(sorted(self.folder.glob("*.py"))), hash_files(sorted(mine))]

    def load(self) -> Case:
        """Convert the set. Raises ``OperatorError`` if the converter fails."""
        command = [sys.executable, str(self.folder / CONVERTER), self.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - the folder was named by hand
            if process.stdout is None:  # pragma: no cover - it is a pipe
                raise RuntimeError(f"{command[1]}: its standard output is not a pipe")
            events = list(Playback({self.name: read(process.stdout)}))
        if process.returncode:
            raise OperatorError(f"{' '.join(command)} failed with status {process.returncode}: see its messages above")
        return Case(self.name, events, None)


Source = Simulated | Recorded | Converted


def hash_files(paths: Iterable[Path]) -> str:
    """Return a hash of the files' bytes in the order given. Raises ``OSError``."""
    lines = []
    for path in paths:
        with path.open("rb") as file:
            lines.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def find_recordings(folder: Path) -> list[Source]:
    """Return the markets in a folder: the sets of its converter, or its event files.

    An event file has its truth beside it as ``NAME.truth.jsonl``, if there is one.

    Raises:
        OperatorError: the folder holds neither.
    """
    if (folder / CONVERTER).exists():
        return [Converted(name, folder) for name in sorted(_set_names(folder))]
    files = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES) and ".truth." not in path.name)
    if not files:
        raise OperatorError(f"{folder} has neither {CONVERTER} nor files that end in {' or '.join(SUFFIXES)}")
    return [_with_truth(path) for path in files]


def _set_names(folder: Path) -> Iterator[str]:
    """Yield the names of the sets in a folder with a converter."""
    for path in folder.iterdir():
        if path.is_dir() and any(path.glob("*.csv.gz")):
            yield path.name
        elif path.name.startswith("aave_"):
            yield "aave"


def _with_truth(path: Path) -> Recorded:
    """Return an event file with the truth beside it, if there is one."""
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    truth = path.with_name(f"{name}.truth.jsonl")
    return Recorded(name, (path,), truth if truth.exists() else None)


def join_files(paths: Iterable[Path], truth: Path | None) -> Recorded:
    """Return one market made of these files."""
    named = tuple(paths)
    return Recorded(" ".join(path.name for path in named), named, truth)
