"""Signals as JSON lines on a stream: the simplest way for a desk to listen."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from monitor.bus.ports import Batch, Subscriber
from monitor.events import Signal

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
"""How long to wait for signals before looking again; signals themselves wake the reader at once."""

_ENCODER: Final = msgspec.json.Encoder()


class SignalLines:
    """Reads signals from the bus and writes one JSON object a line, flushed batch by batch.

    When nobody reads any more (a broken pipe) it says so once, leaves the bus and ends; the monitor goes on.
    """

    def __init__(self, subscriber: Subscriber, stream: BinaryIO) -> None:
        self._subscriber = subscriber
        self._stream = stream
        self.written = 0

    async def run(self) -> None:
        """Write until cancelled or until nobody reads; what is on the bus when cancelled is still written."""
        try:
            await self._follow()
        except BrokenPipeError:
            log.warning("nobody reads the signals any more: no more are written")
            discard(self._stream)
        finally:
            await self._subscriber.close()

    async def _follow(self) -> None:
        try:
            while True:
                await self._write(await self._subscriber.poll(POLL_S))
        except asyncio.CancelledError:
            await self._write(await self._subscriber.poll(0))
            raise

    async def _write(self, batches: list[Batch]) -> None:
        signals = [record for batch in batches for record in batch.records if isinstance(record, Signal)]
        if signals:
            # In a thread, because a pipe whose reader is slow blocks the writer.
            await asyncio.to_thread(self._put, signals)
            self.written += len(signals)
        await self._subscriber.commit({batch.partition: batch.next_offset for batch in batches})

    def _put(self, signals: list[Signal]) -> None:
        self._stream.write(_ENCODER.encode_lines(signals))
        self._stream.flush()


@contextmanager
def output(where: str) -> Iterator[BinaryIO]:
    """The stream that ``delivery.signals_output`` means: standard output for ``-``, else a file that is appended to."""
    if where == "-":
        yield sys.stdout.buffer
    else:
        path = Path(where)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            yield stream


def discard(stream: BinaryIO) -> None:
    """Send what a broken stream still buffers nowhere, so that closing it raises nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
