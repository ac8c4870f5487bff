"""Writes signals as JSON lines to a stream, the simplest way for a desk to receive them."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from monitor.bus.ports import Batch, Subscriber
from monitor.model.signals import Signal
from monitor.storage.append_file import AppendFile
from monitor.storage.side_output import SideOutput

POLL_S: Final = 1.0
"""Longest wait for signals in one poll, seconds; a signal ends the wait at once."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Most bytes that may wait for a slow reader: two thousand signals."""

_ENCODER: Final = msgspec.json.Encoder()


class SignalLines:
    """Reads signals from the bus and queues them to be written, one JSON object a line, batch by batch.

    A stream that fails (a full disk, a pipe without a reader) stops neither the reading nor the monitor.

    Args:
        subscriber: source of the signals; closed at the end.
        where: ``-`` for standard output, else a file or pipe that is appended to.
    """

    def __init__(self, subscriber: Subscriber, where: str) -> None:
        self.output = SideOutput("signals_output", MAX_BYTES)
        self._subscriber = subscriber
        self._file = AppendFile(None if where == "-" else Path(where))

    async def run(self) -> None:
        """Write until cancelled; then write what is still on the bus."""
        self.output.put(self._file.open, count=0)
        try:
            await self._follow()
        finally:
            await self._subscriber.close()
            self.output.put(self._file.close, count=0)
            await asyncio.to_thread(self.output.close)

    async def _follow(self) -> None:
        try:
            while True:
                await self._take(await self._subscriber.poll(POLL_S))
        except asyncio.CancelledError:
            await self._take(await self._subscriber.poll(0))
            raise

    async def _take(self, batches: list[Batch]) -> None:
        signals = [record for batch in batches for record in batch.records if isinstance(record, Signal)]
        if signals:
            lines = _ENCODER.encode_lines(signals)
            self.output.put(partial(self._file.append, lines), size=len(lines), count=len(signals))
        await self._subscriber.commit({batch.partition: batch.next_offset for batch in batches})
