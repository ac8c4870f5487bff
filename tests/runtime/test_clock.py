import time

from monitor.runtime.clock import monotonic_us, wall_clock_us


def test_wall_clock_counts_microseconds_of_the_epoch() -> None:
    """The wall clock agrees with the system's to the microsecond's unit."""
    before = time.time()
    now_us = wall_clock_us()
    assert isinstance(now_us, int)
    assert before - 1 <= now_us / 1e6 <= time.time() + 1


def test_monotonic_clock_counts_microseconds() -> None:
    """The clock for timeouts advances by what has passed."""
    first = monotonic_us()
    time.sleep(0.02)
    assert 20_000 <= monotonic_us() - first < 5_000_000
