"""Restarts change nothing of what is paged: whatever sides and assets run, whenever the notifier is killed."""

from __future__ import annotations

from typing import Final, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from monitor.deliver.paging.incidents import Page, Pages
from monitor.model.events import MICROS, Side
from monitor.model.signals import Phase, Signal
from tests.deliver.paging.signals import T0, signal

SCOPES: Final[list[tuple[str, Side]]] = [
    ("BTC", "long"),
    ("BTC", "short"),
    ("ETH", "long"),
    ("ETH", "short"),
    ("MARKET", "long"),
    ("MARKET", "short"),
]
NEXT: Final[dict[Phase, list[Phase]]] = {
    "calm": ["building", "cascade"],
    "building": ["building", "cascade", "calm"],
    "cascade": ["cascade", "relief"],
    "relief": ["relief", "cascade", "calm"],
}


class Walk:
    """Episodes of one side of one scope, a signal a step, with revisions and waves as the detector counts them."""

    def __init__(self, asset: str, side: Side) -> None:
        self._asset, self._side = asset, side
        self._phase: Phase = "calm"
        self._key, self._revision, self._wave = "", 0, 0

    def step(self, second: int, choice: int) -> Signal:
        """The signal of the next phase."""
        before, options = self._phase, NEXT[self._phase]
        self._phase = options[choice % len(options)]
        if before == "calm":
            self._key, self._revision, self._wave = f"{self._asset}-{self._side}-{second:08d}", 0, 0
        self._revision += 1
        self._wave += self._phase == "cascade" != before
        return signal(
            self._revision,
            self._phase,
            before,
            asset=self._asset,
            direction=self._side,
            episode_id=self._key,
            wave=self._wave,
            event_time_us=T0 + second * MICROS,
        )


STEPS = st.lists(st.tuples(st.sampled_from(range(len(SCOPES))), st.integers(0, 5)), min_size=1, max_size=120)
CUTS = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 12)), max_size=12)
"""Where it is killed, and how many signals before that it last kept how far it was."""


def story(steps: list[tuple[int, int]]) -> list[Signal]:
    """The signals of a walk of all scopes."""
    walks = [Walk(*scope) for scope in SCOPES]
    return [walks[scope].step(second, choice) for second, (scope, choice) in enumerate(steps)]


def running(signals: list[Signal]) -> set[str]:
    """Episodes whose last signal is no end."""
    last = {each.episode_id: each.phase for each in signals}
    return {episode for episode, phase in last.items() if phase != "calm"}


class Sent(NamedTuple):
    """A page as a receiver knows it."""

    id: str
    action: str
    episode: str


def taken(pages: Pages, signals: list[Signal]) -> list[Page]:
    """The pages that signals make."""
    return [page for page in map(pages.take, signals) if page is not None]


def sent(pages: list[Page]) -> list[Sent]:
    """What of them a receiver keeps that passes over the ids it knows."""
    return list(dict.fromkeys(Sent(page.id, page.action, page.episode_id) for page in pages))


def restarted(pages: Pages) -> Pages:
    """Another process that goes on with what the one before kept."""
    after = Pages()
    after.load(pages.state([page.episode_id for page in pages.open]))
    return after


@given(STEPS, CUTS)
def test_whoever_reads_again_from_what_was_kept_pages_the_same_once(
    steps: list[tuple[int, int]], cuts: list[tuple[int, int]]
) -> None:
    """Killed anywhere and read again from the offset before: the same pages in order; an id has one content."""
    signals = story(steps)
    made: list[Page] = []
    kept, offset = Pages(), 0
    for at, behind in sorted(cuts):
        at = min(at, len(signals))
        keep = max(offset, at - behind)
        pages = restarted(kept)
        made += taken(pages, signals[offset:keep])
        kept, offset = restarted(pages), keep
        made += taken(pages, signals[keep:at])  # sent, and not kept
    made += taken(restarted(kept), signals[offset:])
    assert sent(made) == sent(taken(Pages(), signals))
    by_id: dict[str, Signal | None] = {}
    for page in made:
        assert by_id.setdefault(page.id, page.signal) == page.signal


@given(STEPS, st.lists(st.integers(0, 120), max_size=12))
def test_restarts_of_one_process_resolve_nothing_that_runs(steps: list[tuple[int, int]], cuts: list[int]) -> None:
    """With a long and a short episode of several assets running, a restart neither resolves one nor opens it again."""
    signals = story(steps)
    made: list[Page] = []
    pages, offset = Pages(), 0
    for at in sorted(min(cut, len(signals)) for cut in cuts):
        made += taken(pages, signals[offset:at])
        pages, offset = restarted(pages), at
        made += pages.end_all_but(running(signals[:at]))
    made += taken(pages, signals[offset:])
    assert [(page.id, page.action) for page in made] == [(page.id, page.action) for page in taken(Pages(), signals)]


@given(STEPS, st.lists(st.tuples(st.integers(0, 120), st.integers(1, 12)), max_size=12))
def test_signals_that_nobody_read_cost_no_wave_and_no_end(
    steps: list[tuple[int, int]], outages: list[tuple[int, int]]
) -> None:
    """What was missed in an outage is made up by the next signal of its wave; what ended meanwhile is resolved."""
    signals = story(steps)
    made: list[Page] = []
    pages, offset = Pages(), 0
    for at, missed in sorted(outages):
        at = max(offset, min(at, len(signals)))
        made += taken(pages, signals[offset:at])
        pages, offset = restarted(pages), min(at + missed, len(signals))
        made += pages.end_all_but(running(signals[:offset]))
    made += taken(pages, signals[offset:])
    assert {page.episode_id for page in pages.open} <= running(signals)
    waves = {page.episode_id: page.wave for page in pages.open}
    told = {each.episode_id: each.wave for each in signals[offset:] if each.phase == "cascade"}
    assert {key: waves[key] for key in told.keys() & waves.keys()} == {key: told[key] for key in told.keys() & waves}
    assert len({page.id for page in made}) == len(made)


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_detector_that_goes_on_from_an_older_state_repeats_no_id(revision: int, again: int) -> None:
    """It gives revisions out again, for what else comes: neither opening nor end is taken for the earlier one."""
    pages = Pages()
    first = pages.take(signal(revision, "cascade", "building", wave=1))
    end = pages.take(signal(revision + 1, "calm", "relief", wave=1))
    second = pages.take(signal(again, "cascade", "building", wave=1, risk_score=71.0))
    (unseen,) = pages.end_all_but([])
    assert first is not None
    assert end is not None
    assert second is not None
    assert len({first.id, end.id, second.id, unseen.id}) == 4


def test_a_wave_after_revisions_began_again_is_paged() -> None:
    """A wave is told from the last one by its number: its revision may be a lower one than was paged."""
    pages = Pages()
    pages.take(signal(100, "cascade", "building", wave=1))
    page = pages.take(signal(60, "cascade", "relief", wave=2))
    assert page is not None
    assert page.action == "update"


def test_incidents_that_an_earlier_version_kept_go_on() -> None:
    """Without wave and opening they are updated by revision, and resolved under the id of that version."""
    pages = Pages()
    pages.load(b'[["BTC-long-20251124T160000Z",2]]')
    made = taken(
        pages,
        [
            signal(2, "cascade", "building", wave=1),
            signal(3, "cascade", "cascade", wave=1),
            signal(4, "cascade", "relief", wave=2),
            signal(5, "calm", "relief", wave=2),
        ],
    )
    assert [page.action for page in made] == ["update", "resolve"]
    assert made[-1].id == "BTC-long-20251124T160000Z-resolve"
