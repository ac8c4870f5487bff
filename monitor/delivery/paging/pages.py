"""Which signals are worth a page: one incident per episode, opened, updated wave by wave, and resolved."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from monitor.events import Signal

MARKET: Final = "MARKET"
GRAVE_SCORE: Final = 80.0
"""From this score on one asset's cascade is an error and no warning; the market's is critical in any case."""

Action = Literal["trigger", "update", "resolve"]
Severity = Literal["critical", "error", "warning", "info"]
"""PagerDuty's, worst first."""


class Page(NamedTuple):
    """Something to tell people.

    Attributes:
        action: ``trigger`` opens the incident, ``update`` says that another wave runs, ``resolve`` ends it.
        episode_id: the incident's key.
        severity: how bad it is.
        signal: the signal that leads to it; None where the episode ended unseen.
    """

    action: Action
    episode_id: str
    severity: Severity
    signal: Signal | None = None

    @property
    def id(self) -> str:
        """The same whenever the page is sent, by whichever process.

        An episode ends once, whether its last signal is read or not; it may be opened again, by a later signal.
        """
        if self.signal is None or self.action == "resolve":
            return f"{self.episode_id}-{self.action}"
        return f"{self.episode_id}-{self.action}-{self.signal.revision}"


class OpenPage(msgspec.Struct, array_like=True):
    """An incident that is open: its episode, and the last revision that was paged."""

    episode_id: Annotated[str, msgspec.Meta(pattern="-(long|short)-[^-]+$")]
    revision: int

    @property
    def scope(self) -> tuple[str, str]:
        """Asset and direction, which the episode's id begins with."""
        asset, direction, _ = self.episode_id.rsplit("-", 2)
        return asset, direction


_STATE: Final = list[OpenPage]


class Pages:
    """Turns signals into pages. Reading a signal again makes no second page.

    Args:
        assets: whose cascades page, or None for every asset's; the market's always does.
    """

    def __init__(self, assets: Collection[str] | None = None) -> None:
        self._assets = None if assets is None else frozenset(assets) | {MARKET}
        self._open: dict[str, OpenPage] = {}

    @property
    def open(self) -> list[OpenPage]:
        """The incidents that are open, oldest first."""
        return list(self._open.values())

    def take(self, signal: Signal) -> Page | None:
        """The page that a signal makes, if any.

        A cascade opens an incident, also when its beginning was missed; coming back to ``cascade`` is a new wave;
        ``calm`` is the end.
        """
        episode = signal.episode_id
        page = self._open.get(episode)
        if signal.phase == "calm":
            if page is None:
                return None
            del self._open[episode]
            return Page("resolve", episode, severity(signal), signal)
        if signal.phase != "cascade" or not self._pages(signal.asset):
            return None
        if page is None:
            self._open[episode] = OpenPage(episode, signal.revision)
            return Page("trigger", episode, severity(signal), signal)
        if signal.previous_phase == "cascade" or signal.revision <= page.revision:
            return None
        page.revision = signal.revision
        return Page("update", episode, severity(signal), signal)

    def _pages(self, asset: str) -> bool:
        return self._assets is None or asset in self._assets

    def end_all_but(self, running: Iterable[str]) -> list[Page]:
        """Resolve incidents whose episodes do not run any more: their end was never seen."""
        ended = self._open.keys() - frozenset(running)
        return [Page("resolve", self._open.pop(episode).episode_id, "info") for episode in sorted(ended)]

    def state(self, accepted: Container[str]) -> bytes:
        """What a restart needs: JSON, small enough for an offset's metadata.

        Args:
            accepted: episodes whose incident the channel has; a restart opens the others, if they still run.
        """
        return msgspec.json.encode([page for page in self.open if page.episode_id in accepted])

    def load(self, state: bytes) -> None:
        """Become what :meth:`state` described. Raises ``ValueError`` where it describes nothing."""
        self._open = {page.episode_id: page for page in msgspec.json.decode(state, type=_STATE)}


def severity(signal: Signal) -> Severity:
    """How bad a signal is, by scope, phase and score."""
    if signal.phase != "cascade":
        return "info"
    if signal.asset == MARKET:
        return "critical"
    return "error" if signal.risk_score >= GRAVE_SCORE else "warning"
