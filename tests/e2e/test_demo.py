"""The demo in its full length, as its users start it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor.model.schema import checked
from monitor.model.signals import Signal
from monitor.model.summary import Summary
from tests.e2e.stage import environment
from tests.waiting import patient


@pytest.mark.deep("the demo in its full length, 95 seconds of market; tests/lab/demo plays short ones every day")
@pytest.mark.timeout(240)
def test_demo_tells_its_story_and_ends_well(tmp_path: Path) -> None:
    """In under two minutes: calm, a long cascade, relief, a short squeeze; the counts agree, so the status is 0."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "demo", "--headless"],
        cwd=tmp_path,
        env=environment(traced=False),
        capture_output=True,
        timeout=patient(230),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - began < 180  # 95 s where nothing else runs
    *signal_lines, last = done.stdout.splitlines()
    signals = [checked(Signal, line) for line in signal_lines]
    summary = checked(Summary, last)
    story = [(one.direction, one.phase) for one in signals if one.asset == "MARKET" and one.phase != one.previous_phase]
    called = story.index(("long", "cascade"))
    eased = story.index(("long", "relief"), called)
    assert ("short", "cascade") in story[eased:]
    assert summary.first_event_us is not None
    first_us = min(one.event_time_us for one in signals if one.asset == "MARKET")
    assert first_us > summary.first_event_us + 10_000_000  # calm before the storm
    assert (summary.rejected, summary.duplicates) == (0, 0)
    assert summary.liquidated_usd.long > 1e6
    assert summary.liquidated_usd.short > 1e5
    assert list(tmp_path.iterdir()) == []
