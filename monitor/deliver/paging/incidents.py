"""Turns signals into pages: one incident per episode, opened, updated wave by wave, and resolved."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from hashlib import blake2b
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from monitor.model.events import MARKET
from monitor.model.signals import Signal

GRAVE_SCORE: Final = 80.0
"""Score (0 to 100) from which one asset's cascade is an error instead of a warning; the market's is always critical."""

Action = Literal["trigger", "update", "resolve"]
Severity = Literal["critical", "error", "warning", "info"]
"""PagerDuty's severities, worst first."""


class Page(NamedTuple):
    """One message to a pager.

    Attributes:
        action: ``trigger`` opens the incident, ``update`` reports another wave, ``resolve`` ends it.
        episode_id: the incident's key.
        severity: severity of the incident.
        signal: the signal that leads to it; None if the end was not observed.
        opened: content mark of the signal that opened the incident which a resolve ends; empty where unknown.
    """

    action: Action
    episode_id: str
    severity: Severity
    signal: Signal | None = None
    opened: str = ""

    @property
    def id(self) -> str:
        """Return an id that is the same whenever the page is sent, by any process, and that no other page has.

        Revisions alone would not do: a detector that continues from an older state repeats them. So a mark of the
        signal's content is in it. A resolve is named after what opened its incident: it has one id whether the last
        signal is read or not, and another one where the episode's incident is opened again.
        """
        if self.action == "resolve":
            return "-".join([self.episode_id, self.action, *([self.opened] if self.opened else [])])
        if self.signal is None:
            return f"{self.episode_id}-{self.action}"
        return f"{self.episode_id}-{self.action}-{self.signal.revision}-{content_mark(self.signal)}"


class OpenPage(msgspec.Struct, array_like=True):
    """An incident that is open.

    Attributes:
        episode_id: its episode.
        revision: the last revision that was paged.
        opened: content mark of the signal that opened it; empty where an earlier version did.
        wave: the last wave that was paged; 0 where it is unknown.
    """

    episode_id: Annotated[str, msgspec.Meta(pattern="-(long|short)-[^-]+$")]
    revision: int
    opened: str = ""
    wave: int = 0

    @property
    def scope(self) -> tuple[str, str]:
        """Return asset and direction, with which the episode's id begins."""
        asset, direction, _ = self.episode_id.rsplit("-", 2)
        return asset, direction

    def take(self, signal: Signal) -> bool:
        """Return True if a signal in ``cascade`` is of a wave that was not paged yet."""
        if self.wave and signal.wave:  # revisions start again if a detector continues from an older state
            another = signal.wave > self.wave
        else:
            another = signal.previous_phase != "cascade" and signal.revision > self.revision
        self.wave = max(self.wave, signal.wave)
        if another:
            self.revision = signal.revision
        return another


_STATE: Final = list[OpenPage]


class Pages:
    """Turns signals into pages. Reading a signal again makes no second page.

    Args:
        assets: assets whose cascades are paged, None for all; the market's always are.
    """

    def __init__(self, assets: Collection[str] | None = None) -> None:
        self._assets = None if assets is None else frozenset(assets) | {MARKET}
        self._open: dict[str, OpenPage] = {}

    @property
    def open(self) -> list[OpenPage]:
        """Return the incidents that are open, oldest first."""
        return list(self._open.values())

    def take(self, signal: Signal) -> Page | None:
        """Return the page that a signal makes, if any.

        A cascade opens an incident, also when its beginning was missed; coming back to ``cascade`` is a new wave, also
        when the signal of the change was missed; ``calm`` is the end.
        """
        episode = signal.episode_id
        page = self._open.get(episode)
        if signal.phase == "calm":
            if page is None:
                return None
            del self._open[episode]
            return Page("resolve", episode, severity(signal), signal, page.opened)
        if signal.phase != "cascade" or not self._pages(signal.asset):
            return None
        if page is None:
            self._open[episode] = OpenPage(episode, signal.revision, content_mark(signal), signal.wave)
            return Page("trigger", episode, severity(signal), signal)
        if not page.take(signal):
            return None
        return Page("update", episode, severity(signal), signal)

    def _pages(self, asset: str) -> bool:
        return self._assets is None or asset in self._assets

    def end_all_but(self, running: Iterable[str]) -> list[Page]:
        """Resolve incidents whose episodes do not run any more: their end was not observed."""
        ended = self._open.keys() - frozenset(running)
        pages = [self._open.pop(episode) for episode in sorted(ended)]
        return [Page("resolve", page.episode_id, "info", opened=page.opened) for page in pages]

    def state(self, accepted: Container[str]) -> bytes:
        """Return the state for a restart: JSON, small enough for an offset's metadata.

        Args:
            accepted: episodes whose incident the channel has; a restart opens the others, if they still run.
        """
        return msgspec.json.encode([page for page in self.open if page.episode_id in accepted])

    def load(self, state: bytes) -> None:
        """Restore what :meth:`state` returned. Raises ``ValueError`` if it is unreadable."""
        self._open = {page.episode_id: page for page in msgspec.json.decode(state, type=_STATE)}


def content_mark(signal: Signal) -> str:
    """Return eight hexadecimal digits of a signal's content, whenever it was sent; another signal's differ."""
    content = msgspec.json.encode(msgspec.structs.replace(signal, emitted_time_us=0))
    return blake2b(content, digest_size=4).hexdigest()


def severity(signal: Signal) -> Severity:
    """Return the severity of a signal, by scope, phase and score."""
    if signal.phase != "cascade":
        return "info"
    if signal.asset == MARKET:
        return "critical"
    return "error" if signal.risk_score >= GRAVE_SCORE else "warning"
