"""Ids that were counted already."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.ingest import dedup as module
from monitor.detect.ingest.dedup import GENERATION_S, Seen
from tests.detect.stored import stored


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from("abcdefgh")), max_size=80))
def test_ids_of_the_last_two_minutes_are_known(plan: list[tuple[int, str]]) -> None:
    """An id is refused if it came within the shortest memory, and is new if it never came."""
    seen, now = Seen(), 10_000
    came: dict[str, int] = {}
    for ticks, key in plan:
        now += ticks
        new = seen.add(key, now)
        if key not in came:
            assert new
        elif now - came[key] < GENERATION_S:
            assert not new
        if new:
            came[key] = now


def test_an_id_is_forgotten_after_two_generations() -> None:
    """What came so long ago that nothing repeats it is given up, so that memory is bounded."""
    seen = Seen()
    assert seen.add("old", 1_000)
    assert seen.add("next", 1_000 + GENERATION_S)
    assert not seen.add("old", 1_001 + GENERATION_S)
    assert seen.add("last", 1_000 + 2 * GENERATION_S)
    assert seen.add("old", 1_001 + 2 * GENERATION_S)


def test_a_storm_ends_a_generation_early() -> None:
    """Never more than two generations of ids are kept, however many come in a second."""
    seen = Seen()
    limit = module.GENERATION_IDS
    for number in range(2 * limit + 10):
        assert seen.add(str(number), 1_000)
    state = seen.state()
    assert len(state.current) <= limit
    assert len(state.previous) <= limit
    assert not seen.add(str(2 * limit + 9), 1_000)
    assert not seen.add(str(limit + 10), 1_000)


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from("abcdefgh")), max_size=40))
def test_a_restored_one_knows_the_same(plan: list[tuple[int, str]]) -> None:
    """A snapshot through MessagePack at any point makes no difference."""
    seen, now = Seen(), 10_000
    for ticks, key in plan:
        now += ticks
        other = Seen.restore(stored(seen.state()))
        assert other.add(key, now) == seen.add(key, now)
        assert other.state() == seen.state()
