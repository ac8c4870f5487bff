from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.exchanges.server import ExchangeServer
from monitor.lab.simulate.ledger import Entry, totals
from monitor.lab.simulate.scenario import Phase, Scenario
from monitor.model.events import MICROS
from tests.lab.simulate.builders import contract_values, read_binance, read_bybit, read_okx
from tests.waiting import patient, until

TINY = Scenario(
    "tiny", (Phase("calm", 0.3), Phase("long cascade", 2, push=-0.04, noise=4, activity=3), Phase("end", 0.3))
)
"""Long enough for every throttle to hide something, and for both batches to end."""


class Reader:
    """A client of one exchange that reads forced orders off plain JSON and dials again when it is cut."""

    def __init__(self, server: ExchangeServer) -> None:
        self.server = server
        self.entries: list[Entry] = []
        self.frames: list[Any] = []
        self._values = contract_values(server.dialect) if server.dialect.venue == "okx" else {}
        self._began_ms = time.time_ns() // 1_000_000 - 60_000

    def _request(self) -> str:
        symbols = self.server.dialect.by_symbol
        if self.server.dialect.venue == "binance-usdm":
            streams = [f"{s.lower()}@{kind}" for s in symbols for kind in ("forceOrder", "aggTrade", "markPrice@1s")]
            return json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1})
        if self.server.dialect.venue == "bybit":
            topics = [f"{kind}.{s}" for s in symbols for kind in ("allLiquidation", "publicTrade", "tickers")]
            return json.dumps({"op": "subscribe", "args": topics})
        args = [{"channel": kind, "instId": s} for s in symbols for kind in ("trades", "mark-price", "open-interest")]
        return json.dumps({"op": "subscribe", "args": [{"channel": "liquidation-orders", "instType": "SWAP"}, *args]})

    def _read(self, frame: Mapping[str, Any]) -> list[Entry]:
        if self.server.dialect.venue == "binance-usdm":
            return read_binance(frame)
        if self.server.dialect.venue == "bybit":
            return read_bybit(frame)
        return read_okx(frame, self._values, self._began_ms)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                async with connect(self.server.ws_url) as socket:
                    await socket.send(self._request())
                    async for text in socket:
                        frame = json.loads(text)
                        self.frames.append(frame)
                        self.entries += self._read(frame)
            except ConnectionClosed:
                continue


async def watch(arena: Arena, drops: int = 0) -> dict[str, Reader]:
    """Play the storyline before one reader an exchange; cut all sockets ``drops`` times on the way."""
    readers = {venue: Reader(server) for venue, server in arena.exchanges.items()}
    tasks = [asyncio.create_task(reader.run()) for reader in readers.values()]
    await asyncio.wait_for(arena.watched(), patient(5))
    playing = asyncio.create_task(arena.play())
    for _ in range(drops):
        await asyncio.sleep(0.4)
        await asyncio.wait_for(arena.watched(), patient(5))
        assert arena.drop_all() == 3
    await playing
    for venue, reader in readers.items():
        await until(lambda r=reader, v=venue: totals(r.entries) == arena.ledger(v).delivered)  # type: ignore[misc]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return readers


async def test_readers_count_what_the_ledger_shows() -> None:
    """Plain readers of the wire get the ledger's sums to the micro-dollar; Bybit hides nothing, the others do."""
    async with Arena(TINY, 7) as arena:
        readers = await watch(arena)
        assert arena.progress.done
        for venue, reader in readers.items():
            ledger = arena.ledger(venue)
            assert totals(reader.entries) == ledger.shown == ledger.delivered
            hidden = sum(amount.orders for amount in ledger.executed.values()) - len(reader.entries)
            assert (hidden == 0) == (venue == "bybit")
            assert len(reader.entries) > 5


async def test_event_times_are_the_clocks() -> None:
    """What the wire dates is at most a throttle's time older than the clock at its end, and never ahead of it."""
    async with Arena(TINY, 7) as arena:
        began_ms = time.time_ns() // 1_000_000
        readers = await watch(arena)
        ended_ms = time.time_ns() // 1_000_000
    times = [frame["data"]["T"] for frame in readers["binance-usdm"].frames if "@aggTrade" in frame.get("stream", "")]
    assert len(times) > 20
    assert began_ms - 100 <= min(times) <= max(times) <= ended_ms


async def test_cut_sockets_lose_what_was_pushed_meanwhile() -> None:
    """Readers that were cut three times mid-cascade have what the ledger recorded as delivered, and no more."""
    async with Arena(TINY, 8) as arena:
        readers = await watch(arena, drops=3)
        for venue, reader in readers.items():
            assert arena.exchanges[venue].dropped == 3
            assert arena.exchanges[venue].connects >= 4
            assert totals(reader.entries) == arena.ledger(venue).delivered
            assert len(reader.entries) > 0


async def test_history_comes_before_the_storyline() -> None:
    """The history ends about now, brings the servers' greetings up to date, and the storyline follows it."""
    async with Arena(TINY, 9, warmup_s=30) as arena:
        now_us = time.time_ns() // 1_000
        times = [event.event_time_us for event in arena.history()]
        assert times[0] == pytest.approx(now_us - 30 * MICROS, abs=2 * MICROS)
        assert times[-1] == pytest.approx(now_us, abs=2 * MICROS)
        assert arena.exchanges["bybit"].dialect.now_us == times[-1]
        assert arena.market.elapsed_s == 0
        playing = asyncio.create_task(arena.play())
        await until(lambda: arena.progress.phase == "long cascade")
        assert arena.market.now_us >= times[-1]
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


async def test_a_clock_behind_the_market_is_waited_for() -> None:
    """The storyline never begins before the market's own time, also when the clock lags behind it."""
    now = 1_790_000_000 * MICROS
    async with Arena(Scenario("blink", (Phase("calm", 0.2),)), 1, clock=lambda: now) as arena:
        arena.market.step(MICROS // 2)
        now += MICROS
        await arena.play()
        assert arena.market.now_us == 1_790_000_001 * MICROS + 200_000


async def test_unread_frames_do_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that has stopped reading delays the end by the time allowed for it, and no longer."""
    monkeypatch.setattr("monitor.lab.simulate.arena.DRAIN_S", 0.05)
    monkeypatch.setattr(ExchangeServer, "waiting", 1)
    async with Arena(Scenario("blink", (Phase("calm", 0.1),)), 1) as arena:
        began = time.monotonic()
        await arena.play()
    assert 0.05 <= time.monotonic() - began < 1


async def test_servers_that_started_are_stopped_when_another_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """When one server cannot listen the others are closed again."""
    arena = Arena(TINY, 1)
    last = arena.exchanges["okx"]

    async def fail() -> ExchangeServer:
        raise OSError("no port")

    enter = ExchangeServer.__aenter__
    monkeypatch.setattr(ExchangeServer, "__aenter__", lambda self: fail() if self is last else enter(self))
    with pytest.raises(OSError, match="no port"):
        async with arena:
            pytest.fail("entered")
    for exchange in arena.exchanges.values():
        with pytest.raises(RuntimeError, match="not running"):
            _ = exchange.port
