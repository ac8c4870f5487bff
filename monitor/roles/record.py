"""Writes raw frames to a file, for ``cascade-monitor record``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

import uvloop

from monitor.bus.memory import MemoryBus
from monitor.collect.collector import Collector
from monitor.model.errors import OperatorError
from monitor.roles.clock import SteadyClock
from monitor.roles.collector import collecting
from monitor.settings import Settings
from monitor.storage.append_file import AppendFile

log = logging.getLogger(__name__)

REPORT_S: Final = 60.0
"""Interval between two log lines with the number of frames, seconds."""


def run(settings: Settings) -> int:
    """Record until cancelled."""
    uvloop.run(_record(settings))
    return 0


async def _record(settings: Settings) -> None:
    path = settings.collector.record_path
    if path is None:
        raise OperatorError("no file to record to: set collector.record_path or give --output")
    if not path.is_fifo():
        beginning = AppendFile(path)  # the recording is the process's purpose: if it cannot start, the process ends
        beginning.open()
        beginning.close()
    # The bus has no subscriber: events are made only to find gaps and to count, then dropped.
    with collecting(settings, MemoryBus().publisher(), SteadyClock()) as at_work:
        reporting = asyncio.create_task(_report(at_work.collector))
        try:
            await at_work.collector.run()
        finally:
            reporting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reporting


async def _report(collector: Collector) -> None:
    while True:
        await asyncio.sleep(REPORT_S)
        for venue in collector.stats():
            if venue.fleet is not None:
                log.info("%s: %d frames recorded", venue.venue, venue.fleet.total.frames)
