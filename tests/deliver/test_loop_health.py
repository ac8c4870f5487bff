import asyncio
import threading
from contextlib import suppress

import pytest

from monitor.deliver.loop_health import ALIVE_WITHIN_US, Pulse
from tests.waiting import until


class Clock:
    """Time that only moves when told."""

    def __init__(self) -> None:
        self.now_us = 1_000_000

    def __call__(self) -> int:
        """Now."""
        return self.now_us


async def beat(pulse: Pulse) -> asyncio.Task[None]:
    task = asyncio.create_task(pulse.run())
    await asyncio.sleep(0)
    return task


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_alive_until_the_loop_stands_still() -> None:
    """A pulse is alive right after a beat, and dead ten seconds later without one."""
    clock = Clock()
    pulse = Pulse(clock)
    task = await beat(pulse)
    clock.now_us += ALIVE_WITHIN_US - 1
    assert pulse.alive
    clock.now_us += 1
    assert not pulse.alive
    await until(lambda: pulse.alive)
    await stop(task)


async def test_lag_is_the_worst_of_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat that comes late is remembered as lag, in seconds."""
    monkeypatch.setattr("monitor.deliver.loop_health.BEAT_S", 0.01)
    clock = Clock()
    pulse = Pulse(clock)
    assert pulse.lag_s == 0
    task = await beat(pulse)
    clock.now_us += 260_000
    await until(lambda: pulse.lag_s == 0.25)
    await stop(task)


async def test_question_is_answered_on_the_loops_thread() -> None:
    """What another thread asks is called by the loop's thread."""
    pulse = Pulse(Clock())
    task = await beat(pulse)
    name = await asyncio.to_thread(pulse.call, lambda: threading.current_thread().name)
    assert name == threading.current_thread().name
    await stop(task)


async def test_question_that_fails_fails_for_the_asker() -> None:
    """An error of the question is the asker's, not the loop's."""

    def question() -> None:
        raise ZeroDivisionError

    pulse = Pulse(Clock())
    task = await beat(pulse)
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(pulse.call, question)
    await stop(task)


async def test_stuck_loop_times_out_the_asker() -> None:
    """A loop that does not turn gives no answer, and the asker is not held for ever."""
    pulse = Pulse(Clock())
    task = await beat(pulse)
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            pulse.call(lambda: None, timeout_s=0.05)
        except TimeoutError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()  # holds the loop
    assert [str(error) for error in caught] == ["the event loop did not answer within 0.05 s"]
    await stop(task)


def test_no_loop_no_answer() -> None:
    """Before the loop runs there is nobody to ask."""
    with pytest.raises(TimeoutError, match="does not run"):
        Pulse(Clock()).call(lambda: None)
