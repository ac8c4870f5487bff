from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.roles.shard_owner import snapshot_period

SHARES = 24


@given(st.integers(0, 10**9), st.integers(1, 120))
def test_each_share_keeps_its_state_once_a_period_and_no_two_at_once(start: int, every: int) -> None:
    """Within one period the turn of every share comes once, spread evenly."""
    moments = [start * every + every * (step + 0.5) / SHARES for step in range(SHARES + 1)]
    turns = [[snapshot_period(at, every, share / SHARES) for share in range(SHARES)] for at in moments]
    changed = [sum(new != old for new, old in zip(after, before, strict=True)) for before, after in pairwise(turns)]
    assert changed == [1] * SHARES
    assert [new - old for new, old in zip(turns[-1], turns[0], strict=True)] == [1] * SHARES
