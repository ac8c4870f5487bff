"""Readings that are kept, held against ones that are worked out anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.detect.context.cached_reading import FOREVER, CachedReading
from monitor.detect.context.open_interest import INTEREST_WINDOWS, OpenInterest
from tests.budget import examples

START = 1_770_000_000


def test_a_reading_stands_for_its_time_and_until_it_is_dropped() -> None:
    """It is worked out again after its last second, before the second that it was asked for, and once dropped."""
    asked: list[int] = []

    def work_out(second: int) -> tuple[int, int]:
        asked.append(second)
        return second, second + 10 if second < 120 else FOREVER

    reading = CachedReading[int]()
    assert [reading.at(second, work_out) for second in (100, 110, 111, 105, 130, 10**9)] == [
        100,
        100,
        111,
        105,
        130,
        130,
    ]
    reading.invalidate()
    assert reading.at(140, work_out) == 140
    assert asked == [100, 111, 105, 130, 140]


@hypothesis_settings(max_examples=examples(10, 200))
@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.sampled_from(("okx", "bybit")), st.integers(0, 900), st.booleans()),
        min_size=1,
        max_size=25,
    )
)
def test_open_interest_that_is_asked_all_the_time_says_the_same(steps: list[tuple[int, str, int, bool]]) -> None:
    """What was asked before, in whatever order, changes no answer: each is that of one who is asked for the first time.

    A step is how many seconds pass, whose sample comes and how old it is, or a mere question.
    """
    interest = OpenInterest()
    second = START
    for passed, venue, age_s, question in steps:
        second += passed
        if not question:
            interest.add(venue, "X", second - age_s, 1.0 + passed, 10.0 + age_s)
        fresh = OpenInterest()
        fresh.load(interest.state())
        for at in (second, second - 300):
            assert (interest.usd(at), interest.coins(at), interest.age_s(at)) == (
                fresh.usd(at),
                fresh.coins(at),
                fresh.age_s(at),
            )
            assert interest.by_venue(at) == fresh.by_venue(at)
            assert [interest.change(window, at) for window in INTEREST_WINDOWS] == [
                fresh.change(window, at) for window in INTEREST_WINDOWS
            ]
