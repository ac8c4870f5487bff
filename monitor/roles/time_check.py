"""Checks for readiness that the decided time is not ahead of the clock, and names the venues whose records are."""

from __future__ import annotations

from monitor.deliver.http import Check
from monitor.detect.view import AheadView
from monitor.model.events import MICROS


def time_check(second: int, ahead: AheadView, now_us: int, tolerance_s: int) -> Check:
    """Fail while the decided second lies in the future, because no other is decided until the clock reaches it.

    Venues whose records have time stamps in the future are only named: detection does not follow these stamps.
    """
    future_s = second - now_us // MICROS
    if future_s > tolerance_s:
        return Check("time", False, f"decided up to {future_s} s in the future of this machine's clock")
    venues = [f"{venue} by {seconds:.0f} s" for venue, seconds in sorted(ahead.seconds.items()) if seconds]
    return Check("time", True, f"stamped ahead: {', '.join(venues)}" if venues else "no record is stamped ahead")
