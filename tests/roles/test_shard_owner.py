from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.roles import shard_owner
from monitor.roles.shard_owner import sliced, snapshot_period

SHARES = 24


@given(st.integers(0, 10**9), st.integers(1, 120))
def test_each_share_keeps_its_state_once_a_period_and_no_two_at_once(start: int, every: int) -> None:
    """Within one period the turn of every share comes once, spread evenly."""
    moments = [start * every + every * (step + 0.5) / SHARES for step in range(SHARES + 1)]
    turns = [[snapshot_period(at, every, share / SHARES) for share in range(SHARES)] for at in moments]
    changed = [sum(new != old for new, old in zip(after, before, strict=True)) for before, after in pairwise(turns)]
    assert changed == [1] * SHARES
    assert [new - old for new, old in zip(turns[-1], turns[0], strict=True)] == [1] * SHARES


async def test_a_long_restore_lets_the_event_loop_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two slices of a restore everything else on the loop gets its turn; the result comes out at the end."""
    monkeypatch.setattr(shard_owner, "SLICE_S", 0.01)
    turns = 0

    def restore() -> Generator[None, None, str]:
        for _ in range(100):
            until_s = time.monotonic() + 0.002
            while time.monotonic() < until_s:
                pass
            yield
        return "restored"

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert await sliced(restore()) == "restored"
    counting.cancel()
    assert turns >= 10  # of 200 ms in slices of 10 ms
