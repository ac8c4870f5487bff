"""Records that are none."""

from __future__ import annotations

import logging

import pytest

from monitor.model.events import MICROS, Reject
from monitor.roles.unreadable import REPORTS_AT_ONCE, Unreadable


def test_all_are_counted_and_some_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A stream of garbage fills no log: ten at once, and then one a minute, each with its place."""
    now_us = 1_790_000_000 * MICROS
    unreadable = Unreadable(lambda: now_us)
    reject = Reject("bus", "malformed", "market.trades.v1/3@7: JSON is malformed", now_us)
    with caplog.at_level(logging.ERROR):
        for _ in range(1_000):
            unreadable(reject)
        assert len(caplog.records) == REPORTS_AT_ONCE
        now_us += 61 * MICROS
        unreadable(reject)
    assert len(caplog.records) == REPORTS_AT_ONCE + 1
    assert unreadable.count == 1_001
    assert "market.trades.v1/3@7" in caplog.text
