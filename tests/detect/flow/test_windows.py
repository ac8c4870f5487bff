"""Rolling sums against a slow reference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detect.flow.windows import MOST, WINDOWS, Windows
from tests.budget import examples
from tests.detect.stored import stored

SPANS = {name: 1 if length <= 900 else 60 if length <= 86_400 else 3_600 for name, length in WINDOWS.items()}

Added = tuple[int, int, int, int, int]  # lane, second, amount, count, span


def reference(added: list[Added], now: int, window: str, lane: int) -> tuple[int, int]:
    """What a window holds, from all events, by its definition."""
    bucket = SPANS[window]
    buckets = WINDOWS[window] // bucket
    current = now // bucket
    inside = [
        (amount, count)
        for at_lane, second, amount, count, span in added
        if at_lane == lane
        and second <= now
        and current - buckets < second // bucket <= current
        and (span == 1 or bucket > 1)
    ]
    return sum(amount for amount, _ in inside), sum(count for _, count in inside)


steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # seconds to advance: small, then scaled by the next
        st.sampled_from([1, 1, 1, 7, 60, 950, 3_600, 90_000, 700_000, 3_000_000]),
        st.lists(
            st.tuples(
                st.integers(0, 4),
                st.sampled_from(
                    [0, 0, 0, 1, 5, 59, 300, 899, 900, 3_600, 86_399, 90_000, 2_591_999, 2_700_000, -1, -30]
                ),
                st.integers(0, 10**15),
                st.integers(1, 9),
                st.sampled_from([1, 1, 1, 3_600]),
            ),
            max_size=6,
        ),
    ),
    max_size=30,
)


@given(steps)
@settings(max_examples=examples(40, 800))
def test_every_window_equals_the_sum_over_all_events(plan: list[tuple[int, int, list[Added]]]) -> None:
    """At every second, every window of every lane holds exactly the amounts and counts of its buckets."""
    now = 1_700_000_000
    windows = Windows()
    windows.advance(now)
    added: list[Added] = []
    kept: list[Added] = []
    for ticks, scale, events in plan:
        for lane, ago, amount, count, span in events:
            windows.add(windows.lane(lane), now - ago, amount, count, span)
            added.append((lane, now - ago, amount, count, span))
        now += ticks * scale
        windows.advance(now)
        # an event that had left a ring before it was folded is gone from that ring for good, as it is by definition
        kept = added
        for window in WINDOWS:
            for lane_key, lane in windows.lanes.items():
                assert (windows.sum(window, lane), int(windows.counts(window)[lane])) == reference(
                    kept, now, window, int(str(lane_key))
                ), (window, lane_key)


@given(steps)
@settings(max_examples=examples(12, 240))
def test_restored_windows_go_on_as_if_nothing_had_happened(plan: list[tuple[int, int, list[Added]]]) -> None:
    """A snapshot through MessagePack at any point leads to the same sums, waiting events and lanes included."""
    now = 1_700_000_000
    windows = Windows()
    windows.advance(now)
    other = windows
    for ticks, scale, events in plan:
        for target in {id(windows): windows, id(other): other}.values():
            for lane, ago, amount, count, span in events:
                target.add(target.lane(lane), now - ago, amount, count, span)
        other = Windows.restore(stored(other.state()))
        now += ticks * scale
        windows.advance(now)
        other.advance(now)
        for window in WINDOWS:
            assert windows.sums(window).tolist() == other.sums(window).tolist()
            assert windows.counts(window).tolist() == other.counts(window).tolist()


def test_the_edge_of_a_window_is_half_open() -> None:
    """An order counts in a 10 s window for ten seconds and not for the eleventh."""
    # second  100 101 ... 109 | 110
    # order    x               |
    # 10 s    [...............]
    windows = Windows({"10s": 10})
    lane = windows.lane("btc")
    windows.advance(100)
    windows.add(lane, 100, 7, 1)
    held = []
    for second in range(100, 112):
        windows.advance(second)
        held.append(windows.sum("10s", lane))
    assert held == [7] * 10 + [0, 0]


def test_an_hours_total_is_in_no_window_shorter_than_an_hour() -> None:
    """An amount that stands for an hour says nothing about any minute of it."""
    windows = Windows()
    lane = windows.lane("btc")
    windows.advance(7_200)
    windows.add(lane, 7_200, 5, 1, span_s=3_600)
    windows.advance(7_200)
    assert {name for name in WINDOWS if windows.sum(name, lane)} == {"1h", "4h", "24h", "7d", "30d"}


def test_what_comes_too_late_for_every_ring_is_counted() -> None:
    """An order older than thirty days changes no sum and is counted with its amount."""
    windows = Windows()
    lane = windows.lane("btc")
    windows.advance(10_000_000)
    windows.add(lane, 1, 12, 3)
    windows.advance(10_000_000)
    assert (windows.dropped_events, windows.dropped_amount) == (3, 12)
    assert windows.sum("30d", lane) == 0


def test_amounts_without_orders_count_too() -> None:
    """An amount with a count of zero (one side of a bar) is not lost."""
    windows = Windows({"1m": 60})
    lane = windows.lane("sell")
    windows.advance(60)
    windows.add(lane, 60, 9, 0)
    windows.advance(61)
    assert windows.sum("1m", lane) == 9


def test_time_cannot_go_back() -> None:
    """Advancing to an earlier second is refused with both seconds named."""
    windows = Windows()
    windows.advance(10)
    with pytest.raises(ValueError, match="back from 10 to 9"):
        windows.advance(9)


@pytest.mark.parametrize("lengths", [{}, {"none": 0}])
def test_windows_need_a_length(lengths: dict[str, int]) -> None:
    """No windows, or one of no length, is refused."""
    with pytest.raises(ValueError, match="at least one length"):
        Windows(lengths)


def test_sums_by_side_fold_even_and_odd_lanes() -> None:
    """Two lanes a source, longs then shorts: the table sums over sources, a lone lane left out."""
    windows = Windows({"1m": 60, "4h": 14_400})
    for number, key in enumerate(("a-long", "a-short", "b-long", "b-short", "odd one")):
        windows.lane(key)
        windows.add(number, 0, 10**number, 1)
    windows.advance(0)
    assert windows.by_side() == {"1m": ((101, 1010), (2, 2)), "4h": ((101, 1010), (2, 2))}


def test_sums_saturate_and_never_wrap_around() -> None:
    """However much comes, now, late or as counts, no sum turns negative, and small amounts fit in still."""
    windows = Windows()
    lanes = [windows.lane((venue, side)) for venue in "abc" for side in ("long", "short")]
    for second in range(1_000, 1_040):
        windows.advance(second)
        for lane in lanes:
            windows.add(lane, second, 2**62, 2**62)
            windows.add(lane, second - 5, 2**70, 2**70)
    windows.advance(1_041)
    windows.add(lanes[0], 1_041, 7, 1)
    before = windows.sum("30d", lanes[0])
    windows.advance(1_042)
    assert windows.sum("30d", lanes[0]) == before + 7
    for name in WINDOWS:
        (longs, shorts), counts = windows.by_side()[name]
        assert 0 <= longs <= 2 * MOST
        assert 0 <= shorts <= 2 * MOST
        assert min(counts) >= 0
    assert Windows.restore(windows.state()).by_side() == windows.by_side()
