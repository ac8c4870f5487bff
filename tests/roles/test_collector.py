from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest

from monitor.bus.memory import MemoryBus
from monitor.collect.collector import VenueStats, WatchedVenue
from monitor.collect.fleet_stats import FleetStats
from monitor.collect.stats import SessionStats, total
from monitor.deliver.http import Check
from monitor.exchanges.registry import ADAPTERS
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import CALM
from monitor.model.lines import RawFrame
from monitor.roles.collector import Collecting, collecting, watched_venues
from monitor.settings import Settings
from monitor.settings.tree import BusSettings, CollectorSettings, VenueSettings


def clock() -> int:
    """A machine whose time stands still."""
    return 1_790_000_000_000_000


def settings(folder: Path, record: Path | None = None) -> Settings:
    """Bybit alone."""
    venues = {"bybit": VenueSettings(symbols=("BTCUSDT",), ws_url="ws://127.0.0.1:1/", rest_url="http://127.0.0.1:1")}
    return Settings(venues=venues, collector=CollectorSettings(instruments_cache=folder, record_path=record))


def test_enabled_venues_are_watched_as_configured() -> None:
    """Symbols, channels and addresses are the settings'; a disabled venue is left out."""
    venues = {
        "okx": VenueSettings(enabled=False),
        "bybit": VenueSettings(symbols=("BTCUSDT",), channels=("trades",), ws_url="ws://h/", rest_url="http://h"),
        "binance-usdm": VenueSettings(),
    }
    bybit, binance = watched_venues(Settings(venues=venues))
    assert bybit == WatchedVenue(ADAPTERS["bybit"], ("BTCUSDT",), ("trades",), "ws://h/", "http://h")
    assert (binance.adapter, binance.symbols, binance.ws_url) == (ADAPTERS["binance-usdm"], "all", None)


async def test_instruments_are_recorded_and_their_age_is_known(tmp_path: Path) -> None:
    """The answers of the REST API are in the recording, whose folder is made; the table's age is told by venue."""
    path = tmp_path / "deep" / "recording.jsonl"
    async with Arena(CALM) as arena:
        with collecting(settings(tmp_path, path), MemoryBus().publisher(), clock) as at_work:
            await at_work.store.load(ADAPTERS["bybit"], arena.exchanges["bybit"].rest_url)
            assert at_work.instruments_age_s(clock() + 90_000_000) == {"bybit": 90.0}
    (line,) = path.read_bytes().splitlines()  # complete, because the recorder was closed
    frame = msgspec.json.decode(line, type=RawFrame)
    assert (frame.venue, frame.channel, frame.receive_time_us) == ("bybit", "instruments", clock())


@pytest.mark.parametrize(
    ("kind", "trades", "warned"),
    [
        ("kafka", "bars", True),
        ("kafka", "each", False),
        ("memory", "bars", False),
    ],
)
def test_bars_on_kafka_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, trades: str, warned: bool
) -> None:
    """Where a second collector could be at work, the start says that copies of bars cannot be told from others."""
    chosen = CollectorSettings(instruments_cache=tmp_path, trades=trades)
    asked = settings(tmp_path).model_copy(update={"collector": chosen, "bus": BusSettings(kind=kind)})
    with collecting(asked, MemoryBus().publisher(), clock):
        assert ("trades count twice" in caplog.text) is warned


def test_without_a_record_path_nothing_is_recorded(tmp_path: Path) -> None:
    """Recording is off unless asked for."""
    with collecting(settings(tmp_path), MemoryBus().publisher(), clock):
        pass
    assert list(tmp_path.iterdir()) == []


def fail_amid(at_work: Collecting) -> None:
    """Record something, then fail."""
    assert at_work.store._on_body is not None
    at_work.store._on_body("bybit", 1, b"{}")
    raise RuntimeError("failed")


def test_recorder_is_closed_when_the_work_fails(tmp_path: Path) -> None:
    """Also after a failure the compressed recording has its end."""
    path = tmp_path / "recording.jsonl.gz"
    with (
        pytest.raises(RuntimeError, match="failed"),
        collecting(settings(tmp_path, path), MemoryBus().publisher(), clock) as at_work,
    ):
        fail_amid(at_work)
    assert b'"instruments"' in gzip.decompress(path.read_bytes())


@pytest.mark.parametrize(
    ("connected", "ok", "words"),
    [
        (None, False, "0 of 1 venues connected; not bybit"),
        (0, False, "0 of 1 venues connected; not bybit"),
        (1, True, "1 of 1 venues connected"),
    ],
)
def test_feeds_are_ready_once_a_socket_is(
    connected: int | None, ok: bool, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A venue counts once a connection of it is subscribed; before its instruments are there it does not."""
    stats = SessionStats("bybit", "0")
    stats.connected = connected or 0
    with collecting(settings(tmp_path), MemoryBus().publisher(), clock) as at_work:
        fleet = None
        if connected is not None:
            fleet = FleetStats("bybit", [stats], total("bybit", [stats]), False, 0, 0, 0)
        monkeypatch.setattr(at_work.collector, "stats", lambda: [VenueStats("bybit", fleet)])
        assert at_work.feeds() == Check("feeds", ok, words)
