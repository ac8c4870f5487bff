"""Shares of the work against the detector that does all of it: however it is read, split and interrupted."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from monitor.bus import codec
from monitor.bus.kafka.partitioner import Partitioner
from monitor.bus.ports import Batch, Partition
from monitor.bus.topics import LIQUIDATIONS, MARKET_TOPICS, REJECTS, ROUTES, SIGNALS, SUMMARIES, WATERMARKED, Record
from monitor.detect.decide.visibility import UNSEEN_S
from monitor.detect.detector import Detector
from monitor.detect.detector_state import FORMAT
from monitor.detect.market import Market
from monitor.detect.quarantine import LENGTH_S
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.listings import VENUE_SHARES
from monitor.model.events import (
    ALL,
    MARKET,
    MICROS,
    AnyEvent,
    Event,
    Gap,
    Heartbeat,
    MarkPrice,
    Reject,
    TradeBar,
)
from monitor.model.signals import Closed, Signal
from monitor.model.steps import finished
from monitor.roles.asset_shard import AssetShard
from monitor.roles.kept_parts import Parts
from monitor.roles.market_shard import MarketShard
from monitor.roles.shard import COMMON, Shard, Step
from tests.budget import few
from tests.detect.poison import UNAPPLIED, UNCLOSED, poisoned
from tests.kafka.story import CALM_S, START_US, differences, expected, story, told

PARTITIONS = 3


def logs(events: Iterable[AnyEvent]) -> dict[Partition, list[Record]]:
    """The topics as a collector fills them."""
    found: dict[Partition, list[Record]] = defaultdict(list)
    partitioner = Partitioner(PARTITIONS)
    for event in events:
        if isinstance(event, Heartbeat):
            topics = {*WATERMARKED, *ROUTES[Heartbeat]}
            for where in [Partition(topic.name, number) for topic in topics for number in range(PARTITIONS)]:
                found[where].append(event)
        else:
            (topic,) = ROUTES[type(event)]
            found[Partition(topic.name, partitioner.partition(event.asset))].append(event)
    return found


def asset_shard(number: int, parts: Mapping[str, bytes], emitted: int = 0, *, anew: bool = False) -> AssetShard:
    """The shard of these parts; unless it begins anew all of them must be usable."""
    losses: list[tuple[str, str]] = []
    shard = finished(
        AssetShard.restoring(number, Parts(dict(parts)), DETECTOR, emitted, lambda *lost: losses.append(lost))
    )
    assert anew or losses == []
    return shard


def market_shard(parts: Mapping[str, bytes], partitions: int, emitted: int = 0, *, anew: bool = False) -> MarketShard:
    """The same for the market."""
    losses: list[tuple[str, str]] = []
    shard = finished(
        MarketShard.restoring(
            Parts(dict(parts)), DETECTOR, partitions, 0, emitted=emitted, note=lambda *lost: losses.append(lost)
        )
    )
    assert anew or losses == []
    return shard


class Owner:
    """Runs one share and loses it now and then, as a worker does."""

    def __init__(self, number: int, topics: list[str], log: Mapping[Partition, list[Record]]) -> None:
        self.number = number
        self.parts: dict[str, bytes] = {}
        self.emitted = 0
        self.restores = -1
        self._inputs = [Partition(topic, number) for topic in topics]
        self._log = log
        self.restore()

    def restore(self) -> None:
        """Begin with what was kept."""
        self.share: Shard = asset_shard(self.number, self.parts, self.emitted, anew=not self.parts)
        self.restores += 1

    def read(self, rng: random.Random) -> bool:
        """Some records of each topic; whether there were any."""
        some = False
        for where in self._inputs:
            start = self.share.fetched()[where.topic]
            records = self._log[where][start : start + rng.randrange(400)]
            if records:
                self.share.put(Batch(where, start, records))
                some = True
        return some

    def go_on(self, rng: random.Random) -> Step | None:
        """Step, sometimes keep the state, sometimes die and come back."""
        step = self.share.step(1)
        if step is not None:
            self.emitted = max(self.emitted, step.closed)
        if rng.random() < 0.1:
            self.parts.update(self.share.snapshot())
        if rng.random() < 0.1:
            self.restore()
        return step


class MarketOwner(Owner):
    """The same for the market."""

    def restore(self) -> None:
        """Begin with what was kept."""
        self.share = market_shard(self.parts, PARTITIONS, self.emitted, anew=not self.parts)
        self.restores += 1


@pytest.mark.sampled
@pytest.mark.parametrize("seed", few([1, 2]))
def test_shards_say_what_one_detector_says(seed: int) -> None:
    """Read in any order, kept and restored at any time, the shards' signals are the detector's, each once."""
    signals, rejects, beats = shared(logs(story()), seed)
    assert differences(told(signals), expected()) == []
    assert {signal.asset for signal in signals} > {MARKET, "BTC"}
    assert beats > 0
    assert rejects == []


@pytest.mark.sampled
@pytest.mark.parametrize("price", few([UNAPPLIED, UNCLOSED]))
def test_shards_quarantine_what_one_detector_quarantines(price: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns a share and whenever it changes hands, the same asset is set aside, and its record sent once."""
    poisoned(monkeypatch)
    events = list(story())
    place = next(
        at
        for at in range(len(events) * 6 // 10, len(events))
        if isinstance(events[at], MarkPrice) and events[at].asset == "SOL"
    )
    poison = events[place]
    second = poison.receive_time_us // MICROS
    end = next(at for at in range(place, len(events)) if events[at].receive_time_us // MICROS > second)
    for venue in VENUE_SHARES:  # all of them and last in their second, so that it is their median
        events.insert(end, msgspec.structs.replace(poison, venue=venue, mark_price=price))
    whole = Detector(DETECTOR)
    want = told(whole.apply(events))
    faults = [fault.reject for fault in whole.quarantine.take()]
    assert len(faults) == 1
    signals, rejects, _ = shared(logs(events), 3)
    assert differences(told(signals), want) == []
    assert rejects == faults


@pytest.mark.sampled
def test_shards_hold_what_nobody_saw_as_one_detector_does() -> None:
    """Half a minute without a record amid a cascade has no relief and no calm, from shards as from one detector."""
    begin = START_US // MICROS + CALM_S + 14 + 12
    end = begin + 30
    events = [event for event in story() if not begin <= event.receive_time_us // MICROS < end]
    signals = Detector(DETECTOR).apply(events)
    unseen = range((begin + UNSEEN_S + 1) * MICROS, (end + 1) * MICROS)
    within = [signal for signal in signals if signal.event_time_us in unseen]
    before = {signal.episode_id: signal.phase for signal in signals if signal.event_time_us < unseen.start}
    running = {name: phase for name, phase in before.items() if phase != "calm"}
    assert "cascade" in running.values()
    assert {signal.episode_id: signal.phase for signal in within} == running
    assert len(within) == len(running)
    for signal in within:
        assert signal.degraded
        assert signal.coverage.blind_since_us == signal.event_time_us - MICROS
        assert signal.notes[0].startswith("blind: nothing can be seen since 2026-09-21 ")
    after = [signal for signal in signals if signal.event_time_us >= unseen.stop and signal.episode_id in running]
    assert {signal.coverage.unseen_s for signal in after} == {end - begin - UNSEEN_S}
    assert {signal.coverage.blind_since_us for signal in after} == {UNSET}
    ended = [signal for signal in after if signal.phase == "calm"]
    assert all("it may have ended unseen" in " ".join(signal.notes) for signal in ended)
    shards, _, _ = shared(logs(events), 4)
    assert differences(told(shards), told(signals)) == []


def shared(log: dict[Partition, list[Record]], seed: int) -> tuple[list[Signal], list[Reject], int]:
    """Run shards over topics as a group does; returns their signals, rejects and the number of heartbeats."""
    rng = random.Random(seed)
    market = MarketOwner(0, [SUMMARIES.name], log)
    owners = [Owner(number, [topic.name for topic in MARKET_TOPICS], log) for number in range(PARTITIONS)]
    signals: list[Signal] = []
    rejects: list[Reject] = []
    beats = 0
    idle = 0
    while idle < 20:
        idle += 1
        for owner in (*owners, market):
            if owner.read(rng):
                idle = 0
            step = owner.go_on(rng)
            for topic, number, _, value, headers in step.records if step else ():
                if value is None:
                    continue
                record = codec.decode(topic.name, value, headers)
                if topic is SUMMARIES:
                    log[Partition(topic.name, number)].append(record)
                elif topic is SIGNALS and isinstance(record, Signal):
                    signals.append(record)
                elif isinstance(record, Reject):
                    rejects.append(record)
                beats += isinstance(record, Heartbeat)
    assert all(owner.restores > 0 for owner in (*owners, market))
    return signals, rejects, beats


@pytest.mark.parametrize("raw", [b'[["BTC",7,"nonsense"]]', b'[["\xff",7]]', b"[" * 100_000])
def test_summaries_that_cannot_be_read_close_their_seconds(raw: bytes) -> None:
    """They are counted and passed over, and the market waits for nothing."""
    share = MarketShard(DETECTOR, 1, 0)
    where = Partition(SUMMARIES.name, 0)
    share.put(Batch(where, 0, [Closed(0, 7, {}, msgspec.Raw(raw), FORMAT)]))
    assert share.step(1) == Step([], [], 7)
    assert share.passed_over == 1


def test_a_fault_of_the_market_is_kept_and_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The market is set aside; an owner that takes over neither repeats the reject nor forgets the quarantine."""
    share = MarketShard(DETECTOR, 1, 0)
    where = Partition(SUMMARIES.name, 0)
    batch = Batch(
        where, 0, [Closed(0, 7, {}, msgspec.Raw(b'[["BTC",7,[],100.0,true,[false,false],["calm","calm"],[]]]'), FORMAT)]
    )
    monkeypatch.setattr(Market, "take", lambda self, summary: 1 // 0)
    again = market_shard(share.snapshot(), 1, 7)
    for each in (share, again):
        each.put(batch)
    step, repeated = share.step(1), again.step(1)
    assert step is not None
    assert repeated is not None
    assert [record.topic for record in step.records] == [REJECTS]
    assert repeated.records == []
    kept = market_shard(share.snapshot(), 1, 7)
    assert kept.quarantine.until == share.quarantine.until == {MARKET: 7 + LENGTH_S}


def with_second_collector(
    log: dict[Partition, list[Record]], ahead_s: int, from_us: int, to_us: int
) -> dict[Partition, list[Record]]:
    """The log with a copy of each record of a stretch of time, stamped by a clock that is ahead.

    But for bars of trades: they have no id, so two collectors' count twice whatever their clocks say.
    """
    ahead_us = ahead_s * MICROS
    found: dict[Partition, list[Record]] = defaultdict(list)
    for where, records in log.items():
        for record in records:
            found[where].append(record)
            assert isinstance(record, Event)
            if from_us <= record.receive_time_us < to_us and not isinstance(record, TradeBar):
                copy = replace(record, receive_time_us=record.receive_time_us + ahead_us)
                if isinstance(record, Heartbeat):
                    copy = replace(copy, event_time_us=copy.receive_time_us)
                found[where].append(copy)
    return found


@pytest.mark.sampled
@pytest.mark.parametrize("ahead_s", few([20 * 60, 3_600]))
def test_a_second_collector_that_is_ahead_changes_no_signal(ahead_s: int) -> None:
    """Its clock is wrong for half a minute, before and into the cascade; the signals are those without it."""
    begin_us = START_US + (CALM_S - 10) * MICROS
    log = with_second_collector(logs(story()), ahead_s, begin_us, begin_us + 30 * MICROS)
    assert differences(told(shared(log, 3)[0]), expected()) == []


def beat_records(number: int, seconds: Iterable[int]) -> dict[Partition, list[Record]]:
    """Every input of a share with a heartbeat in each of these seconds."""
    return {
        Partition(topic.name, number): [
            Heartbeat("okx", ALL, ALL, at * MICROS, at * MICROS, "liquidations") for at in seconds
        ]
        for topic in MARKET_TOPICS
    }


def test_shards_step_back_from_the_future_after_a_restart() -> None:
    """Stored state lies forty days ahead: assets and market go on with the present, and say so to each other."""
    present = START_US // MICROS
    future = present + 40 * 86_400
    share, market = asset_shard(0, {}), MarketShard(DETECTOR, 1, 0)
    closed: list[Record] = []

    def step(share: AssetShard) -> int:
        taken = share.step(1)
        assert taken is not None
        closed.extend(
            codec.decode(each.topic.name, each.value or b"", ()) for each in taken.records if each.topic is SUMMARIES
        )
        return taken.closed

    for where, records in beat_records(0, [future, future + 1]).items():
        share.put(Batch(where, 0, records))
    assert step(share) == future
    before = len(closed)
    parts = dict(share.snapshot())
    again = asset_shard(0, parts, future)
    for where, records in beat_records(0, range(present, present + 60)).items():
        again.put(Batch(where, 2, records))
    assert step(again) == present + 58
    market.put(Batch(Partition(SUMMARIES.name, 0), 0, closed[:before]))
    assert market.step(1) == Step([], [], future)
    market.put(Batch(Partition(SUMMARIES.name, 0), before, closed[before:]))
    market.step(1)
    assert market.closed == present + 58
    assert again.detector.steps_back == 1


def test_the_markets_snapshot_of_another_version_is_refused() -> None:
    """Its version is named, and that which is read."""
    parts = MarketShard(DETECTOR, 1, 0).snapshot()
    kept = msgspec.msgpack.decode(parts[COMMON])
    other = {COMMON: msgspec.msgpack.encode([FORMAT - 1, *kept[1:]])}
    with pytest.raises(ValueError, match=f"format {FORMAT - 1}, but this version reads {FORMAT}"):
        market_shard(other, 1)


def test_what_another_version_told_the_market_is_passed_over() -> None:
    """Its summaries would not be understood and are counted; the market goes on with this version's first word."""
    share = MarketShard(DETECTOR, 1, 0)
    older = msgspec.Raw(b'[["BTC",7,[],100.0,[false,false],[true,false],[]]]')
    where = Partition(SUMMARIES.name, 0)
    share.put(Batch(where, 0, [Closed(0, 7, {}, older)]))
    assert share.step(1) is None
    share.put(Batch(where, 1, [Closed(0, 8, {}, msgspec.Raw(b"[]"), FORMAT)]))
    assert share.step(1) == Step([], [], 8)
    assert share.fetched() == {SUMMARIES.name: 2}
    assert share.passed_over == 1


def test_a_gap_of_removed_records_begins_where_reading_had_come_to() -> None:
    """Every exchange that beats is in a gap from the last record read to the first that is left, also when restored."""
    names = [topic.name for topic in MARKET_TOPICS]
    share = asset_shard(0, {})
    start = 1_790_000_000

    def beat(second: int) -> Heartbeat:
        return Heartbeat("okx", ALL, ALL, second * MICROS, second * MICROS, "liquidations")

    for name in names:
        share.put(Batch(Partition(name, 0), 0, [beat(start), beat(start + 1)]))
    share.step(1)
    at_us = (start + 4) * MICROS
    gap = Gap(ALL, ALL, ALL, at_us, at_us, "liquidations", 0, at_us, "offsets_lost")
    for name in names:
        lost = [Batch(Partition(name, 0), 499, [gap])] if name == LIQUIDATIONS.name else []
        for batch in (*lost, Batch(Partition(name, 0), 500, [beat(start + 4), beat(start + 5), beat(start + 6)])):
            share.put(batch)
    share.step(1)
    assert share.detector.feeds.holes.state() == {"okx": [((start + 1) * MICROS, at_us)]}
    again = asset_shard(0, share.snapshot())
    assert again.detector.feeds.holes.state() == share.detector.feeds.holes.state()
    assert again.fetched() == {name: at.offset for name, at in share.positions().items()}


def test_a_topic_that_was_created_again_is_read_from_its_beginning() -> None:
    """Records below the old offsets are taken at once, the time between is a gap, and positions are the new topic's."""
    share, market = asset_shard(0, {}), MarketShard(DETECTOR, 1, 0)
    start = 1_790_000_000
    names = [topic.name for topic in MARKET_TOPICS]
    for name in names:
        share.put(Batch(Partition(name, 0), 500, list(beat_records(0, [start, start + 1])[Partition(name, 0)])))
    share.step(1)
    at_us = (start + 9) * MICROS
    gap = Gap(ALL, ALL, ALL, at_us, at_us, "liquidations", 0, at_us, "offsets_lost")
    for name in names:
        where = Partition(name, 0)
        beats = list(beat_records(0, range(start + 9, start + 12))[where])
        if name == LIQUIDATIONS.name:
            share.put(Batch(where, -1, [gap], anew=True))
            share.put(Batch(where, 0, beats))
        else:
            share.put(Batch(where, 0, beats, anew=True))
    step = share.step(1)
    assert step is not None
    assert step.closed == start + 10
    assert share.fetched() == dict.fromkeys(names, 3)
    assert share.detector.feeds.holes.state() == {"okx": [((start + 1) * MICROS, at_us)]}
    assert {at.offset for at in share.positions().values()} <= {2, 3}
    again = asset_shard(0, share.snapshot())
    assert again.positions().keys() == set(names)
    where = Partition(SUMMARIES.name, 0)
    market.put(Batch(where, 700, [Closed(0, 7, {}, msgspec.Raw(b"[]"), FORMAT)]))
    market.put(Batch(where, 0, [Closed(0, 8, {}, msgspec.Raw(b"[]"), FORMAT)], anew=True))
    assert market.step(1) == Step([], [], 8)
    assert market.fetched() == {SUMMARIES.name: 1}


def test_positions_are_never_negative() -> None:
    """A gap before the first record of a new topic is no offset that a group could commit."""
    share = asset_shard(0, {})
    start = 1_790_000_000
    for name in (topic.name for topic in MARKET_TOPICS):
        share.put(Batch(Partition(name, 0), 500, list(beat_records(0, [start, start + 1])[Partition(name, 0)])))
    share.step(1)
    at_us = (start + 9) * MICROS
    for name in (topic.name for topic in MARKET_TOPICS):
        gap = Gap(ALL, ALL, ALL, at_us, at_us, "liquidations", 0, at_us, "offsets_lost")
        share.put(Batch(Partition(name, 0), -1, [gap], anew=True))
        share.step(1)
        assert min(at.offset for at in share.positions().values()) >= 0


def test_everything_is_saved_again_when_the_saved_state_is_gone() -> None:
    """After the snapshots' topic was created again the next snapshot holds assets that did not change, too."""
    share = asset_shard(0, {})
    share.detector.apply([event for event in story()[:3_000] if not isinstance(event, Heartbeat)])
    first = share.snapshot()
    assert len(first) > 1
    assert set(share.snapshot()) == {COMMON}
    share.mark_unsaved()
    assert share.snapshot().keys() == first.keys()
    market = MarketShard(DETECTOR, 1, 0)
    market.mark_unsaved()
    assert set(market.snapshot()) == {COMMON}
