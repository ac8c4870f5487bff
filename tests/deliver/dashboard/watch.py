"""A monitor that plays a storm, for a browser to look at."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR, SEED, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import Phase, Scenario
from monitor.roles.all import monitoring

STORM: Final = Scenario("storm", (Phase("calm", 3), Phase("long cascade", 20, push=-0.045, noise=4, activity=5)))
WARMUP_S: Final = 900


class Watched:
    """The monitor at work in a thread of its own, because the browser's driver has a loop of its own too."""

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self._folder = folder
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    async def _live(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                arena = await stack.enter_async_context(Arena(STORM, SEED, warmup_s=WARMUP_S))
                detector = Detector(DETECTOR)
                detector.apply(arena.history())
                settings = demo_settings(arena, self._folder, None)
                monitor = await stack.enter_async_context(monitoring(settings, detector))
                self.url = monitor.url
                await arena.watched()
                playing = asyncio.create_task(arena.play())
                self._ready.set()
                await asyncio.to_thread(self._over.wait)
                playing.cancel()
                await asyncio.wait([playing])
        except BaseException as error:
            self._failure = error
            self._ready.set()
            raise
