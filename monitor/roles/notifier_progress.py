"""Saves the progress of a notifier's channel: in a local file, or with the offsets of its own consumer group."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.errors import BusError
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.kafka.transactions import committed
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import SIGNALS
from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.notifier import Notifier
from monitor.model.errors import OperatorError
from monitor.roles.unreadable import Unreadable
from monitor.settings import Settings
from monitor.storage.checksum import NewerEnvelopeError
from monitor.storage.kept_file import read_state, set_aside, write_state
from monitor.storage.side_output import SideOutput
from monitor.storage.state_losses import StateLosses

log = logging.getLogger(__name__)

SAVE_S: Final = 1.0
"""Longest time that the next page waits for a slow disk, seconds."""
NOTE_BYTES: Final = 4000
"""Longest note stored with an offset, bytes; Kafka refuses more than 4096 (``offset.metadata.max.bytes``)."""


class FileProgress:
    """Saves open incidents in a local file, for one process without Kafka, which reads no signal twice.

    Args:
        path: the file; None saves nothing.
        output: writes it in a thread of its own.
        losses: counts a damaged file, or refuses it.
    """

    def __init__(self, path: Path | None, output: SideOutput, losses: StateLosses) -> None:
        self._output = output
        self._path = path
        self._losses = losses
        self._kept = b""

    def restore(self, notifier: Notifier) -> None:
        """Pass the saved incidents to a notifier; set a damaged file aside and start without incidents.

        Raises:
            OperatorError: the file cannot be opened or set aside, is damaged and refused, or is of a later version.
        """
        where = Partition(SIGNALS.name, 0)
        try:
            self._kept = read_state(self._path)
            notifier.restore(where, self._kept)
        except (OSError, NewerEnvelopeError) as error:
            raise OperatorError(f"{self._path}: open incidents cannot be read: {error}; move the file away") from None
        except ValueError as error:
            self._forget(error)
            notifier.restore(where, b"")

    def _forget(self, reason: ValueError) -> None:
        """Set the damaged file aside, because a monitor that does not start pages nobody."""
        self._losses.note("incidents", f"{self._path}: open incidents are damaged ({reason})")
        self._kept = b""
        try:
            aside = None if self._path is None else set_aside(self._path)
        except OSError as error:
            raise OperatorError(f"{self._path}: open incidents are damaged and cannot be set aside: {error}") from None
        log.error(
            "%s: open incidents are damaged (%s): set aside as %s, the channel starts without open "
            "incidents; close by hand those of ended episodes",
            self._path,
            reason,
            aside,
        )

    async def save(self, offsets: Mapping[Partition, int], states: Mapping[Partition, bytes]) -> None:
        """Replace the file if anything changed; raise ``OSError`` if that takes longer than :data:`SAVE_S`."""
        state = next(iter(states.values()))
        if self._path is not None and state != self._kept:
            self._output.put(partial(write_state, self._path, state), size=len(state), key=str(self._path))
            self._kept = state
            if not await asyncio.to_thread(self._output.settled, SAVE_S):
                raise OSError(self._output.stats().reason or "the disk is slow")


class GroupNotifier:
    """Runs one channel of role ``notifier`` in a consumer group of its own, so that a failing channel delays no other.

    It is its notifier's reader and progress. After a read error it leaves the group and joins again at the next
    :meth:`poll`; signals that were read and not saved are read again. A partition's open incidents are stored in the
    metadata of its committed offset.

    Raises:
        OperatorError: Kafka cannot be used; the text names the remedy.
    """

    def __init__(self, channel: Channel, settings: Settings, clock: Callable[[], int], watch: TopicWatch) -> None:
        self._connection = KafkaConnection.from_settings(settings.bus.kafka)
        self._group = f"{settings.notifier.group}-{channel.name}"
        self.unreadable = Unreadable(clock)
        self.lost: dict[Partition, int] = {}
        self.resets: dict[Partition, int] = {}
        self._watch = watch
        self._subscriber = self._outside()
        self._joined = False
        assets = None if settings.notifier.assets == "all" else settings.notifier.assets
        self.notifier = Notifier(channel, self, self, clock, assets)

    def _outside(self) -> KafkaSubscriber:
        """Return a member that has not joined yet."""
        subscriber = KafkaSubscriber(
            self._connection,
            [SIGNALS],
            group=self._group,
            start_at="latest",  # a new channel pages new signals, not past ones
            on_assigned=self._assigned,
            on_revoked=self._revoked,
            on_reject=self.unreadable,
            watch=self._watch,
        )
        # The next member continues the counts.
        subscriber.continuity.lost, subscriber.continuity.resets = self.lost, self.resets
        return subscriber

    async def run(self, rng: random.Random) -> None:
        """Page until cancelled; raise ``OperatorError`` if the group cannot be joined at the start."""
        try:
            await self._join()
            await self.notifier.run(rng)
        finally:
            await self.notifier.close()

    async def _join(self) -> None:
        await self._subscriber.start()
        self._joined = True

    async def poll(self, timeout_s: float) -> list[Batch]:
        """Return the signals read; raise the error after which the member left the group."""
        try:
            if not self._joined:
                await self._join()
            return await self._subscriber.poll(timeout_s)
        except Exception:
            await self._leave()
            raise

    async def _leave(self) -> None:
        left, self._subscriber, self._joined = self._subscriber, self._outside(), False
        self.notifier.forget()
        await left.close()

    async def _assigned(self, partitions: frozenset[Partition]) -> None:
        found = await committed(self._connection, self._group, partitions)
        for partition, (offset, note) in found.items():
            try:
                self.notifier.restore(partition, (note or "").encode())
            except ValueError as error:
                self._forget(partition, offset, note, error)
        # Saved at once, so that new signals are read again if the process is killed before it pages.
        for partition, end in (await self._subscriber.ends(partitions - found.keys())).items():
            self._subscriber.seek(partition, end)
            self.notifier.begin(partition, end)
        log.info("%s reads %d partitions of the signals", self._group, len(partitions))

    def _forget(self, partition: Partition, offset: int, note: str, error: ValueError) -> None:
        """Drop unreadable incidents and continue, because a channel that stopped here would page nobody."""
        self.notifier.begin_anew(partition, offset)
        log.error(
            "the open incidents that group %s stores with its offset of %s/%d cannot be read (%s): %r. They are "
            "dropped and reading continues at %d: close the incidents of ended episodes by hand "
            "(docs/runbooks/notifier-forgot.md)",
            self._group,
            self._connection.name(SIGNALS),
            partition.partition,
            error,
            note,
            offset,
        )

    async def _revoked(self, partitions: frozenset[Partition]) -> None:
        self.notifier.forget(partitions)

    async def save(self, offsets: Mapping[Partition, int], states: Mapping[Partition, bytes]) -> None:
        """Commit the offsets with the open incidents; raise ``OSError`` if the brokers refuse."""
        try:
            await self._subscriber.commit(offsets, {where: _note(state) for where, state in states.items()})
        except BusError as error:
            raise OSError(str(error)) from error

    async def close(self) -> None:
        """Leave the group."""
        await self._subscriber.close()

    def lags(self) -> Mapping[Partition, int]:
        """Return the number of signals still to be read, by partition."""
        return self._subscriber.lags()


def _note(state: bytes) -> str:
    """Return the newest incidents that fit; sixty in a partition do."""
    if len(state) <= NOTE_BYTES:
        return state.decode()
    pages = msgspec.json.decode(state, type=list[msgspec.Raw])
    while len(msgspec.json.encode(pages)) > NOTE_BYTES:
        del pages[0]
    log.error("a partition has more open incidents than its offset can hold; the oldest will not be resolved")
    return msgspec.json.encode(pages).decode()
