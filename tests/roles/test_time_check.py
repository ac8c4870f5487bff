"""Readiness says when the decided time lies in the future, and whose records are stamped ahead."""

from __future__ import annotations

from monitor.detect.view import AheadView
from monitor.model.events import MICROS
from monitor.roles.time_check import time_check


def test_a_decided_time_in_the_future_is_not_ready() -> None:
    """Nothing can be judged until it has come."""
    check = time_check(1_000, AheadView(), 900 * MICROS, 10)
    assert (check.ok, check.detail) == (False, "decided up to 100 s in the future of this machine's clock")


def test_a_source_ahead_is_named_and_does_no_harm() -> None:
    """Detection goes on without its stamps."""
    check = time_check(905, AheadView({"bybit": 0.0, "okx": 3_600.0}), 900 * MICROS, 10)
    assert (check.ok, check.detail) == (True, "stamped ahead: okx by 3600 s")
    assert time_check(0, AheadView(), 900 * MICROS, 10).detail == "no record is stamped ahead"
