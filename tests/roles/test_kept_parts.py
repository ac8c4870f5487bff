"""Saved state of shards that is damaged or missing: what is lost is noted and begun anew, and nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.bus.topics import MARKET_TOPICS, SUMMARIES
from monitor.detect.detector_state import FORMAT, OtherFormatError
from monitor.lab.demo.story import DETECTOR
from monitor.model.steps import finished
from monitor.roles.asset_shard import AssetShard
from monitor.roles.kept_parts import TOPIC_IDS, Parts, opening, sealed
from monitor.roles.market_shard import MarketShard
from monitor.roles.shard import COMMON, Shard
from monitor.storage import checksum
from monitor.storage.checksum import MAGIC, NewerEnvelopeError
from tests.kafka.story import story
from tests.roles.test_shards import Owner, logs

PREFIX = b"group/assets-0/"
Losses = list[tuple[str, str]]


@cache
def kept() -> dict[bytes, bytes]:
    """Records of a partition's shard that has seen a part of the story, with the market's beside them."""
    owner = Owner(0, [topic.name for topic in MARKET_TOPICS], logs(story()[: len(story()) // 2]))
    rng = random.Random(3)
    while owner.read(rng):
        owner.share.step(1)
    records = dict(sealed(owner.share.snapshot(), PREFIX))
    return records | dict(sealed(MarketShard(DETECTOR, 1, 0).snapshot(), b"group/market/"))


def restored(records: Mapping[bytes, bytes], emitted: int = 0) -> tuple[AssetShard, Losses]:
    """The shard of these records, and what it lost."""
    losses: Losses = []
    parts = finished(opening(records, PREFIX))
    shard = finished(AssetShard.restoring(0, parts, DETECTOR, emitted, lambda *lost: losses.append(lost)))
    return shard, losses


def states(shard: AssetShard) -> dict[str, bytes]:
    """The state of every asset."""
    return {name: shard.detector.asset_state(name) for name in shard.detector.assets}


def names() -> list[str]:
    """Assets of the shard."""
    return sorted(key[len(PREFIX) :].decode() for key in kept() if key.startswith(PREFIX) and key != PREFIX + b"*")


def test_whole_parts_restore_everything() -> None:
    """Without damage nothing is lost, and parts of other shards are left alone."""
    shard, losses = restored(kept())
    assert losses == []
    assert sorted(shard.detector.assets) == names()
    assert len(names()) > 1
    assert shard.closed > 0


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_costs_the_part_that_it_hits(data: st.DataObject) -> None:
    """A changed or missing byte is noticed: the record's asset begins anew, or the shard, and nothing else changes."""
    key = data.draw(st.sampled_from(sorted(key for key in kept() if key.startswith(PREFIX))))
    value = bytearray(kept()[key])
    at = data.draw(st.integers(0, len(value) - 1))
    if data.draw(st.booleans()):
        value[at] ^= data.draw(st.integers(1, 255))
    else:
        del value[at:]
    shard, losses = restored({**kept(), key: bytes(value)})
    name = key[len(PREFIX) :].decode()
    if name == COMMON:
        assert [part for part, _ in losses] == ["shard"]
        assert (shard.detector.assets, set(shard.fetched().values())) == ({}, {0})
    else:
        assert [(part, what.partition(":")[0]) for part, what in losses] == [("asset", name)]
        whole, _ = restored(kept())
        assert states(shard) == {each: state for each, state in states(whole).items() if each != name}
        assert shard.positions() == whole.positions()


@pytest.mark.parametrize("damaged", [False, True])
def test_an_asset_without_its_part_begins_anew_and_goes_on(damaged: bool) -> None:  # a parameter
    """A tombstone or damage of one asset leaves a shard that takes the asset's next records."""
    name = names()[0]
    records = {key: value for key, value in kept().items() if key != PREFIX + name.encode()}
    if damaged:
        records[PREFIX + name.encode()] = kept()[PREFIX + name.encode()][:-1]
    shard, losses = restored(records)
    reason = "the checksum does not fit" if damaged else "its part is missing"
    assert [part for part, _ in losses] == ["asset"]
    assert losses[0][1].startswith(f"{name}: {reason}")
    shard.detector.apply([event for event in story()[len(story()) // 2 :] if event.asset == name][:50])
    assert name in shard.detector.assets


def test_a_part_that_is_no_longer_the_shards_is_left_alone() -> None:
    """A record of an asset that the state does not list, from before its quarantine say, is not restored."""
    stale = {PREFIX + b"STALE": kept()[PREFIX + names()[0].encode()]}
    shard, losses = restored(kept() | stale)
    assert losses == []
    assert sorted(shard.detector.assets) == names()


def test_a_shard_that_had_state_and_finds_none_notes_it() -> None:
    """Assets without the common part, or judged seconds without any state, are a loss; a first start is none."""
    assert restored({})[1] == []
    assert restored({}, emitted=7)[1] == [("shard", "the common part of its state is missing")]
    without = {key: value for key, value in kept().items() if key != PREFIX + b"*"}
    assert restored(without)[1] == [("shard", "the common part of its state is missing")]


@pytest.mark.parametrize("content", [b"\x01", b"\x93\x80\x00\xc4\x00", b""])
def test_what_is_no_state_though_its_checksum_fits_begins_anew(content: bytes) -> None:
    """Bytes without an envelope that are no snapshot cost the shard its state and not the process."""
    for common in (content, msgspec.msgpack.encode([{}, 7, content])):
        shard, losses = restored({PREFIX + b"*": common})
        assert [part for part, _ in losses] == ["shard"]
        assert shard.fetched() == {topic.name: 0 for topic in MARKET_TOPICS}


def test_the_ids_of_the_topics_are_no_part_of_the_state() -> None:
    """They are taken out before the state is restored; unreadable ones are as good as none."""
    ids = {"market.trades.v1": UUID(int=7)}
    for content, want in ((msgspec.json.encode(ids), ids), (b"{", {})):
        parts = finished(opening(dict(sealed({TOPIC_IDS: content}, PREFIX)), PREFIX))
        assert parts.take_topic_ids() == want
        assert (parts.whole, parts.damaged) == ({}, {})
    assert Parts({}, {TOPIC_IDS: "cut"}).take_topic_ids() == {}


def market(parts: Parts, emitted: int = 0) -> tuple[Shard, Losses]:
    """The market's shard of these parts, and what it lost."""
    losses: Losses = []
    steps = MarketShard.restoring(parts, DETECTOR, 1, 0, emitted=emitted, note=lambda *lost: losses.append(lost))
    return finished(steps), losses


def test_a_damaged_market_begins_anew() -> None:
    """Damaged, half or missing state of the market is noted, and it reads the summaries from their beginning."""
    whole = MarketShard(DETECTOR, 1, 0)
    content = whole.snapshot()[COMMON]
    assert market(Parts({COMMON: content}))[1] == []
    for parts, emitted in (
        (Parts({}, {COMMON: "the checksum does not fit"}), 0),
        (Parts({COMMON: content[:-1]}), 0),
        (Parts({COMMON: b"\x01"}), 0),
        (Parts(), 7),
    ):
        shard, losses = market(parts, emitted)
        assert [part for part, _ in losses] == ["market"]
        assert shard.fetched() == {SUMMARIES.name: 0}
    assert market(Parts())[1] == []


def test_whole_state_of_another_version_is_refused() -> None:
    """State of another format, and an envelope of a later version, are no damage: both are refused."""
    version, *rest = msgspec.msgpack.decode(MarketShard(DETECTOR, 1, 0).snapshot()[COMMON])
    assert version == FORMAT
    with pytest.raises(OtherFormatError):
        market(Parts({COMMON: msgspec.msgpack.encode([FORMAT + 1, *rest])}))
    positions, closed, detector, assets = msgspec.msgpack.decode(finished(opening(kept(), PREFIX)).whole[COMMON])
    newer = msgspec.msgpack.encode({**msgspec.msgpack.decode(detector), "format": FORMAT + 1})
    with pytest.raises(OtherFormatError):
        restored({PREFIX + b"*": msgspec.msgpack.encode([positions, closed, newer, assets])})


def test_an_envelope_of_a_later_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is whole, and only the version that wrote it can read it."""
    with monkeypatch.context() as later:
        later.setattr(checksum, "_VERSION", b"\x02")
        records = dict(sealed({COMMON: b"state"}, PREFIX))
    assert next(iter(records.values())).startswith(MAGIC)
    with pytest.raises(NewerEnvelopeError):
        restored(records)
