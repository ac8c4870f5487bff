"""Describes a scenario as data: phases, the outside push of each on the price, and its volatility.

Event times on a socket must be the wall clock's (a collector refuses times from the future), so a scenario is never
played faster. A test takes the short one, or drives the market without sockets, which needs no clock at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

FRONT_LOADING: Final = 2.0
"""Concentration of a push at the start: (1 - e^-2u) / (1 - e^-2) of it after a share u of the phase."""


class Phase(NamedTuple):
    """One part of a scenario.

    Attributes:
        name: name for people.
        seconds: length.
        push: outside move of BTC's log price over the phase; forced orders add to it.
        noise: volatility, as a multiple of calm's.
        activity: background trades, as a multiple of calm's.
    """

    name: str
    seconds: float
    push: float = 0.0
    noise: float = 1.0
    activity: float = 1.0


class Progress(NamedTuple):
    """The position in a scenario; ``elapsed_s`` and ``total_s`` are of the whole."""

    phase: str
    phase_index: int
    elapsed_s: float
    total_s: float

    @property
    def done(self) -> bool:
        """Return True if the scenario is over."""
        return self.elapsed_s >= self.total_s


@dataclass(frozen=True)
class Scenario:
    """A named sequence of phases. Raises ``ValueError`` without any phase or with one that takes no time."""

    name: str
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        if not self.phases or any(phase.seconds <= 0 for phase in self.phases):
            raise ValueError(f"scenario {self.name}: every phase needs a length above 0 s, and there must be one")

    @property
    def seconds(self) -> float:
        """Return the length of the whole."""
        return sum(phase.seconds for phase in self.phases)

    def _locate(self, elapsed_s: float) -> tuple[int, float, float]:
        """Return the index of the phase, the share of it that is over, and the push of all before it."""
        start, before = 0.0, 0.0
        for index, phase in enumerate(self.phases):
            if elapsed_s < start + phase.seconds:
                return index, max(0.0, elapsed_s - start) / phase.seconds, before
            start += phase.seconds
            before += phase.push
        last = len(self.phases) - 1
        return last, 1.0, before - self.phases[last].push

    def phase_at(self, elapsed_s: float) -> Phase:
        """Return the phase in force; the first one before the start, the last one after the end."""
        return self.phases[self._locate(elapsed_s)[0]]

    def push_at(self, elapsed_s: float) -> float:
        """Return the outside move of BTC's log price since the start."""
        index, share, before = self._locate(elapsed_s)
        return before + self.phases[index].push * math.expm1(-FRONT_LOADING * share) / math.expm1(-FRONT_LOADING)

    def progress(self, elapsed_s: float) -> Progress:
        """Return the position of ``elapsed_s``."""
        index = self._locate(elapsed_s)[0]
        return Progress(self.phases[index].name, index, min(max(0.0, elapsed_s), self.seconds), self.seconds)


DEMO: Final = Scenario(
    "demo",
    (
        Phase("calm", 14),
        Phase("long cascade", 24, push=-0.042, noise=4, activity=5),
        Phase("relief", 18, push=0.014, noise=1.5, activity=2),
        Phase("calm again", 8, noise=1.2, activity=1.2),
        Phase("short squeeze", 12, push=0.04, noise=4, activity=5),
        Phase("quiet end", 14, push=-0.012, noise=1.2, activity=1.2),
    ),
)
"""The scenario of ``cascade-monitor demo``."""

SHORT: Final = Scenario(
    "short",
    (
        Phase("calm", 2),
        Phase("long cascade", 5, push=-0.04, noise=4, activity=4),
        Phase("relief", 1.5, push=0.002, noise=2, activity=2),
        Phase("short squeeze", 2.5, push=0.03, noise=3, activity=3),
        Phase("quiet end", 1),
    ),
)
"""The same events in 12 s, for tests over sockets; forced orders take 4 s, so the phases run into each other."""

CALM: Final = Scenario("calm", (Phase("calm", 60),))
"""A scenario without any event, for measuring false alarms."""

SCENARIOS: Final = {scenario.name: scenario for scenario in (DEMO, SHORT, CALM)}
