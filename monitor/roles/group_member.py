"""Runs a detector process as a member of the consumer group: it owns shards and passes the records read to them.

Partition N of all market topics is one shard; the member with the only partition of the summaries decides the market.
A rebalance does not interrupt shards that stay with their member.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from monitor.bus.kafka.connection import KafkaConnection, verify
from monitor.bus.kafka.partitioner import Partitioner
from monitor.bus.kafka.subscriber import KafkaSubscriber
from monitor.bus.kafka.topic_watch import TopicWatch
from monitor.bus.ports import Partition
from monitor.bus.topics import CASCADE_STATE, LIQUIDATIONS, MARKET_TOPICS, REJECTS, SIGNALS, SNAPSHOTS, SUMMARIES
from monitor.deliver.http import Check
from monitor.detect.overview import Monitored, ahead_view, market_view
from monitor.detect.view import AheadView, DetectorView
from monitor.model.events import MARKET
from monitor.roles.asset_shard import AssetShard
from monitor.roles.market_shard import MarketShard
from monitor.roles.shard_owner import RECLAIM_BEATS, Counters, Place, ShardOwner
from monitor.roles.unreadable import Unreadable
from monitor.settings import Settings
from monitor.storage.state_losses import StateLosses

log = logging.getLogger(__name__)

Key = TypeVar("Key")

WRITTEN: Final = (SIGNALS, CASCADE_STATE, SNAPSHOTS, SUMMARIES, REJECTS)
"""Topics that a detector writes."""
POLL_S: Final = 0.25
"""Longest wait for records before the reader checks its shards, seconds; records wake it at once."""
STOP_S: Final = 15.0
"""Longest wait for the last transactions at the end, seconds; orchestrators kill after 30 s or more."""


class Member:
    """Holds this process's shards, and passes the records read to them."""

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        kafka = settings.bus.kafka
        self.counters = Counters()
        self.losses = StateLosses(clock, refuses=settings.delivery.damaged_state == "refuse")
        self.owners: dict[str, ShardOwner] = {}
        self._settings = settings.detector
        self.unreadable = Unreadable(clock)
        self._connection = KafkaConnection.from_settings(kafka)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._by_input: dict[Partition, ShardOwner] = {}
        self.watch = TopicWatch(self._connection, (*MARKET_TOPICS, *WRITTEN))
        self.subscriber = KafkaSubscriber(
            self._connection,
            (*MARKET_TOPICS, SUMMARIES),
            group=kafka.group,
            instance=kafka.instance_id,
            session_timeout_ms=round(kafka.session_timeout_s * 1000),
            on_assigned=self._assigned,
            on_reject=self.unreadable,
            watch=self.watch,
        )
        self._place = Place(
            connection=self._connection,
            group=kafka.group,
            subscriber=self.subscriber,
            clock=clock,
            snapshot_s=kafka.snapshot_s,
            reclaim_s=RECLAIM_BEATS * kafka.session_timeout_s / 4,
            losses=self.losses,
            watch=self.watch,
        )

    async def run(self) -> None:
        """Run until cancelled; then save every shard and leave the group.

        Raises:
            OperatorError: Kafka cannot be used, or a shard cannot be restored.
        """
        try:
            await verify(self._connection, WRITTEN, "Write")
            async with asyncio.TaskGroup() as group:
                self._group = group
                watching = group.create_task(self.watch.run(), name="topics")
                try:
                    await self.subscriber.start()
                    await self._read()
                finally:
                    self._group = None
                    await self._give_back()
                    watching.cancel()
        finally:
            await self.subscriber.close()

    async def _read(self) -> None:
        while True:
            for batch in await self.subscriber.poll(POLL_S):
                owner = self._by_input.get(batch.partition)
                if owner is not None:
                    owner.put(batch)

    async def _give_back(self) -> None:
        for owner in self.owners.values():
            owner.stop()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=STOP_S)
        for task in self._tasks.values():
            task.cancel()

    async def _assigned(self, partitions: frozenset[Partition]) -> None:
        """Stop shards that were assigned to another member, keep those that stay, and start new ones."""
        if self._group is None:
            return
        self.counters.rebalances += 1
        wanted = self._shards(partitions)
        for name in self.owners.keys() - wanted.keys():
            del self.owners[name]
            self._tasks.pop(name).cancel()
        for name, inputs in wanted.items():
            owner = self.owners.get(name)
            if owner is None:
                owner = self.owners[name] = self._owner(name, inputs)
                self._tasks[name] = self._group.create_task(owner.run(), name=name)
            owner.attach()
        self._by_input = {each: owner for owner in self.owners.values() for each in owner.inputs}
        log.info("shards of this member: %s", ", ".join(sorted(wanted)) or "none, all are assigned to other members")

    def _shards(self, partitions: Iterable[Partition]) -> dict[str, frozenset[Partition]]:
        shards = {}
        for topic, number in partitions:
            if topic == LIQUIDATIONS.name:
                shards[f"assets-{number}"] = frozenset(Partition(each.name, number) for each in MARKET_TOPICS)
            elif topic == SUMMARIES.name:
                shards["market"] = frozenset([Partition(topic, number)])
        return shards

    def _owner(self, name: str, inputs: frozenset[Partition]) -> ShardOwner:
        number = min(each.partition for each in inputs)
        settings, count = self._settings, self._connection.partitions
        if name == "market":
            home = Partitioner(count).partition(MARKET)
            return ShardOwner(
                name,
                inputs,
                home=home,
                restore=lambda parts, emitted, note: MarketShard.restoring(
                    parts, settings, count, home, emitted=emitted, note=note
                ),
                place=self._place,
                counters=self.counters,
            )
        return ShardOwner(
            name,
            inputs,
            home=number,
            restore=lambda parts, emitted, note: AssetShard.restoring(number, parts, settings, emitted, note),
            place=self._place,
            counters=self.counters,
        )

    def view(self) -> DetectorView:
        """Return the shards of this member as one detector's view."""
        shards = [owner.shard for owner in self.owners.values() if owner.shard is not None]
        detectors = [shard.detector for shard in shards if isinstance(shard, AssetShard)]
        views = [detector.view() for detector in detectors]
        markets = [shard for shard in shards if isinstance(shard, MarketShard)]
        quarantines = [*(each.quarantine for each in detectors), *(each.quarantine for each in markets)]
        return DetectorView(
            assets=[each for shard in shards for each in shard.views()],
            signals_by_phase=dict(self.counters.signals_by_phase),
            liquidations=sum(view.liquidations for view in views),
            liquidated_usd=(
                sum(view.liquidated_usd[0] for view in views),
                sum(view.liquidated_usd[1] for view in views),
            ),
            duplicates_by_venue=_added(view.duplicates_by_venue for view in views),
            late_by_venue=_added(view.late_by_venue for view in views),
            venues_in_gap=sorted({venue for view in views for venue in view.venues_in_gap}),
            second=min((view.second for view in views), default=0),
            market=next((market_view(each.market, each.closed) for each in markets), None),
            quarantined=sorted(
                [name for view in views for name in view.quarantined]
                + [name for each in markets for name in each.quarantine.active(each.closed)]
            ),
            faults=sum(each.faults for each in quarantines),
            passed_over=sum(each.passed_over for each in quarantines),
            gap_ratios=self.gap_ratios(),
            ahead=self.ahead(),
            excluded=_added(view.excluded for view in views),
            outdated=sum(view.outdated for view in views),
            outdated_usd=sum(view.outdated_usd for view in views),
        )

    def ahead(self) -> AheadView:
        """Return the records with time stamps in the future that this member's shards did not follow."""
        shards = [owner.shard for owner in self.owners.values()]
        assets = [shard for shard in shards if isinstance(shard, AssetShard)]
        watermarks = [watermark for shard in assets for watermark in shard.watermarks()]
        return ahead_view(watermarks, sum(shard.detector.steps_back for shard in assets))

    def monitored(self) -> list[Monitored]:
        """Return the assets of this member's shards, and the market if this member decides it."""
        found: list[Monitored] = []
        for owner in self.owners.values():
            if isinstance(owner.shard, AssetShard):
                found += owner.shard.detector.monitored()
            elif isinstance(owner.shard, MarketShard):
                found.append(owner.shard.market)
        return found

    def second(self) -> int:
        """Return the last second that every shard of assets reached; 0 without shards."""
        shards = [owner.shard for owner in self.owners.values()]
        return min((shard.detector.second for shard in shards if isinstance(shard, AssetShard)), default=0)

    def gap_ratios(self) -> dict[tuple[str, str], float]:
        """Return by venue and window the fraction missing because of gaps, which are the same in every shard."""
        found: dict[tuple[str, str], float] = {}
        for owner in self.owners.values():
            if isinstance(owner.shard, AssetShard):
                detector = owner.shard.detector
                for key, ratio in detector.feeds.holes.ratios(detector.second).items():
                    found[key] = max(ratio, found.get(key, 0.0))
        return found

    def heartbeats(self) -> dict[str, int] | None:
        """Return by venue the second of its last heartbeat in any shard; None without shards."""
        shards = [owner.shard for owner in self.owners.values() if owner.shard is not None]
        found: dict[str, int] = {}
        for shard in shards:
            for venue, second in shard.heartbeats().items():
                found[venue] = max(second, found.get(venue, 0))
        return found if shards else None

    def kept_us(self) -> int:
        """Return the oldest of the shards' save times, microseconds; 0 without shards."""
        return min((owner.kept_us for owner in self.owners.values() if owner.shard is not None), default=0)

    def passed_over(self) -> int:
        """Return the number of summaries of another version that were skipped, if this member decides the market."""
        shards = [owner.shard for owner in self.owners.values()]
        return sum(shard.passed_over for shard in shards if isinstance(shard, MarketShard))

    def ready(self) -> Check:
        """Check that every shard is restored, and that its last transaction was committed."""
        owners = self.owners.values()
        restored = sum(owner.shard is not None for owner in owners)
        trouble = [owner.trouble for owner in owners if owner.trouble]
        words = f"{restored} of {len(owners)} shards restored"
        return Check("shards", restored == len(owners) and not trouble, "; ".join([words, *trouble[:1]]))


def _added(counts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """Return the sums by key; a sum of zero is kept, so that its metric is shown."""
    sums: dict[Key, int] = {}
    for each in counts:
        for key, count in each.items():
            sums[key] = sums.get(key, 0) + count
    return sums
