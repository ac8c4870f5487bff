"""Heartbeats and gaps of the exchanges, by themselves."""

from __future__ import annotations

from monitor.detect.ingest.feeds import SILENT_S, FeedLog
from monitor.model.events import ALL, MICROS, Channel, Gap, Heartbeat
from tests.detect.scenarios import START
from tests.detect.stored import stored


def beat(second: int, venue: str = "okx", channel: Channel = "liquidations", *, ahead_s: int = 0) -> Heartbeat:
    """A heartbeat of a venue's channel whose receive time is ahead by some seconds."""
    at = second * MICROS
    return Heartbeat(venue, ALL, ALL, at, at + ahead_s * MICROS, channel)


def gap(second: int, venue: str) -> Gap:
    """A gap of ten seconds of a venue's liquidations that ended with ``second``."""
    at = second * MICROS
    return Gap(venue, ALL, ALL, at, at, "liquidations", at - 10 * MICROS, at, "disconnect")


def test_a_venue_is_silent_once_its_liquidation_channel_stops() -> None:
    """Heartbeats of another channel do not count, and a venue that never sent one is not known."""
    log = FeedLog()
    log.heartbeat(beat(START), START)
    log.heartbeat(beat(START, "bybit"), START)
    log.heartbeat(beat(START + SILENT_S + 1, channel="trades"), START + SILENT_S + 1)
    log.heartbeat(beat(START + SILENT_S + 1, "bybit"), START + SILENT_S + 1)
    log.heartbeat(beat(START, "gate", "trades"), START)
    assert log.at(START + SILENT_S).silent == []
    assert log.at(START + SILENT_S + 1).silent == ["okx"]
    assert set(log.at(START).beating) == {"okx", "bybit"}


def test_a_gap_of_every_venue_is_one_of_each_that_ever_sent_a_heartbeat() -> None:
    """Others are not listed: nothing shows that their liquidations could be read."""
    log = FeedLog()
    for venue in ("okx", "bybit"):
        log.heartbeat(beat(START, venue), START)
    log.gap(gap(START, ALL), START)
    assert log.at(START).missing == ["bybit", "okx"]


def test_a_receive_time_that_is_ahead_counts_as_the_end_of_the_second() -> None:
    """A clock that is wrong cannot make a channel look complete up to the future."""
    log = FeedLog()
    log.heartbeat(beat(START, ahead_s=900), START)
    assert log.beats == {"okx": {"liquidations": (START + 1) * MICROS}}


def test_after_a_step_back_nothing_lies_ahead() -> None:
    """Heartbeats and gaps of the dropped seconds count as of the second that is current now."""
    log = FeedLog()
    log.heartbeat(beat(START + 100), START + 100)
    log.gap(gap(START + 100, "okx"), START + 100)
    log.step_back(START)
    assert log.heartbeats == {"okx": START}
    assert log.beats == {"okx": {"liquidations": (START + 1) * MICROS}}
    assert list(log.at(START).missing) == []


def test_a_restored_log_is_the_same() -> None:
    """Through MessagePack, heartbeats and gaps come back."""
    log, other = FeedLog(), FeedLog()
    log.heartbeat(beat(START), START)
    log.gap(gap(START, "okx"), START)
    other.load(stored(log.state()))
    assert other.state() == log.state()
    assert other.at(START).missing == log.at(START).missing == ["okx"]
