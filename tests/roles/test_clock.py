import time

import pytest

from monitor.model.events import MICROS
from monitor.roles.clock import PERSIST_US, SteadyClock, elapsed_us, monotonic_us, wall_clock_us


class Machine:
    """A machine whose wall clock a test sets."""

    def __init__(self) -> None:
        self.elapsed_us = 5 * MICROS
        self.offset_us = 1_790_000_000 * MICROS
        self.clock = SteadyClock(lambda: self.elapsed_us + self.offset_us, lambda: self.elapsed_us)

    def after(self, seconds: float) -> int:
        """Microseconds by the clock since it was made, after so many more seconds."""
        self.elapsed_us += round(seconds * MICROS)
        return self.clock() - 1_790_000_005 * MICROS


@pytest.mark.parametrize("step_s", [3_600, -3_600, 5])
def test_a_short_step_of_the_wall_clock_is_not_followed(step_s: int) -> None:
    """The clock is wrong for eight seconds: time goes on as if it had not been."""
    machine = Machine()
    machine.offset_us += step_s * MICROS
    assert [machine.after(1) for _ in range(8)] == [at * MICROS for at in range(1, 9)]
    machine.offset_us -= step_s * MICROS
    assert machine.after(1) == 9 * MICROS


def test_a_step_that_lasts_is_followed() -> None:
    """After a minute the machine's clock is taken to be right."""
    machine = Machine()
    machine.offset_us += 3_600 * MICROS
    assert machine.after(0) == 0
    assert machine.after(PERSIST_US / MICROS - 1) == PERSIST_US - MICROS
    assert machine.after(1) == PERSIST_US + 3_600 * MICROS


def test_another_step_begins_the_wait_anew() -> None:
    """A clock that jumps about is followed to none of its times."""
    machine = Machine()
    for step in range(20):
        machine.offset_us += (-1) ** step * 3_600 * MICROS * (step + 1)
        machine.after(30)
    assert machine.after(0) == 600 * MICROS


def test_a_clock_that_is_slewed_is_followed_at_once() -> None:
    """NTP corrects by less than a step."""
    machine = Machine()
    machine.offset_us += MICROS
    assert machine.after(1) == 2 * MICROS


def test_the_elapsed_time_never_goes_back() -> None:
    """It counts on from one reading to the next."""
    assert elapsed_us() <= elapsed_us()


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
