"""Outputs that fail, hang or are slow: nobody waits, what can be written is, and what cannot is counted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from monitor.storage import side_output
from monitor.storage.side_output import SideOutput


class Disk:
    """Takes chunks while it is well."""

    def __init__(self) -> None:
        self.full = False
        self.tries = 0
        self.chunks: list[int] = []

    def write(self, number: int) -> Callable[[], None]:
        """Work that writes a chunk."""

        def work() -> None:
            self.tries += 1
            if self.full:
                raise OSError(28, "No space left on device")
            self.chunks.append(number)

        return work


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the thread does."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries that follow each other at once."""
    monkeypatch.setattr(side_output, "RETRY_S", 0.001)
    monkeypatch.setattr(side_output, "LONGEST_RETRY_S", 0.002)


def test_chunks_are_written_in_order_and_closing_waits_for_them() -> None:
    """What was put before the end is there after it."""
    disk, output = Disk(), SideOutput("recording")
    for number in range(100):
        output.put(disk.write(number))
    output.close()
    assert disk.chunks == list(range(100))
    assert output.stats() == ("recording", False, 0, "")


@pytest.mark.usefixtures("quick")
def test_a_full_disk_is_logged_once_and_tried_again_until_it_has_room(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that fits the memory is lost, and both changes are one line each."""
    disk, output = Disk(), SideOutput("recording")
    disk.full = True
    with caplog.at_level(logging.INFO):
        for number in range(5):
            output.put(disk.write(number))
        until(lambda: disk.tries >= 5)
        assert output.stats() == ("recording", True, 0, "[Errno 28] No space left on device")
        assert not output.settled(10)
        disk.full = False
        until(lambda: not output.stats().failing)
        output.close()
    assert disk.chunks == list(range(5))
    assert [record.getMessage() for record in caplog.records] == [
        "recording: cannot be written ([Errno 28] No space left on device); continuing without it and retrying",
        "recording: written again; 0 were dropped meanwhile",
    ]


@pytest.mark.usefixtures("quick")
def test_what_does_not_fit_the_memory_is_dropped_and_counted() -> None:
    """The oldest stay, in order; what is dropped is counted in frames."""
    disk, output = Disk(), SideOutput("recording", max_bytes=30)
    disk.full = True
    for number in range(5):
        output.put(disk.write(number), size=10, count=2)
    assert output.stats().dropped == 4
    disk.full = False
    until(lambda: not output.stats().failing)
    output.close()
    assert disk.chunks == [0, 1, 2]


def test_one_chunk_larger_than_the_memory_is_written_all_the_same() -> None:
    """A state of 40 MB is no reason to keep none."""
    disk, output = Disk(), SideOutput("state_file", max_bytes=30)
    output.put(disk.write(1), size=100)
    output.close()
    assert disk.chunks == [1]


def test_what_waits_under_a_key_is_replaced_by_the_next_and_what_is_written_is_not() -> None:
    """A state that is older than another one which waits is not worth writing."""
    disk, output = Disk(), SideOutput("state_file")
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(10)
        disk.write(0)()

    output.put(slow, key="state")
    begun.wait(10)
    for number in (1, 2, 3):
        output.put(disk.write(number), key="state")
    go_on.set()
    output.close()
    assert disk.chunks == [0, 3]


def test_a_write_that_hangs_fails_by_the_clock_and_holds_up_neither_putting_nor_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ten seconds after it began it counts as failing; closing gives up what is left and counts it."""
    now_s, begun, go_on = 100.0, threading.Event(), threading.Event()
    output = SideOutput("recording", clock=lambda: now_s)

    def hangs() -> None:
        begun.set()
        go_on.wait(30)

    output.put(hangs)
    begun.wait(10)
    assert not output.stats().failing
    now_s += side_output.STUCK_S
    assert output.stats().failing
    output.put(lambda: None)
    began_s = time.monotonic()
    output.close(timeout_s=0.05)
    assert time.monotonic() - began_s < 5
    assert output.stats().dropped == 2
    assert "a write takes longer than 10 s" in caplog.text
    assert "2 dropped at the end" in caplog.text
    go_on.set()


def test_closing_on_a_full_disk_tries_once_more_and_ends() -> None:
    """It does not wait for room."""
    disk, output = Disk(), SideOutput("recording")
    disk.full = True
    output.put(disk.write(1), count=3)
    until(lambda: disk.tries == 1)
    began_s = time.monotonic()
    output.close()
    assert time.monotonic() - began_s < 4
    assert disk.tries == 2
    assert output.stats().dropped == 3


def test_a_fault_of_ours_costs_its_chunk_alone(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its traceback and not tried again."""
    disk, output = Disk(), SideOutput("recording")

    def faulty() -> None:
        raise RuntimeError("an unexpected error")

    output.put(faulty)
    output.put(disk.write(1))
    output.close()
    assert disk.chunks == [1]
    assert output.stats().dropped == 1
    assert "an unexpected error" in caplog.text
