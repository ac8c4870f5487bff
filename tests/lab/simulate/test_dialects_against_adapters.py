"""Tests that the program's own adapters count on the simulated exchanges what the ledgers recorded."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import pytest

from monitor.bus.memory import MemoryBus
from monitor.bus.topics import FEEDS, LIQUIDATIONS, REJECTS
from monitor.collect.connection.session import SessionSettings
from monitor.collect.fleet import Fleet, FleetSettings
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.binance.usdm import BinanceUsdm
from monitor.exchanges.bybit.adapter import Bybit
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.messages import Ack, Message, Pong, Skipped
from monitor.exchanges.okx.adapter import Okx
from monitor.exchanges.rest_requests import RestRequest
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.exchanges.dialect import Dialect
from monitor.lab.simulate.ledger import Entry, totals
from monitor.lab.simulate.listings import ASSETS
from monitor.lab.simulate.market import Market
from monitor.lab.simulate.scenario import SHORT, Phase, Scenario
from monitor.model.events import Channel, Gap, Liquidation, MarkPrice, OpenInterest, Reject, Trade, micro_usd
from tests.lab.simulate.builders import DIALECTS, T0
from tests.waiting import patient, until

ADAPTERS: dict[str, type[Adapter]] = {one.venue: one for one in (BinanceUsdm, Bybit, Okx)}
CHANNELS: tuple[Channel, ...] = ("liquidations", "trades", "mark_price", "open_interest")
FALL = Scenario("fall", (Phase("calm", 0.3), Phase("long cascade", 3.4, push=-0.05, noise=4, activity=2)))


def instruments(dialect: Dialect) -> dict[str, Instrument]:
    """What the adapter makes of the exchange's REST answer, page by page."""
    adapter = ADAPTERS[dialect.venue]
    request: RestRequest | None = adapter.instruments_requests[0]
    found: dict[str, Instrument] = {}
    while request is not None:
        body = dialect.rest(request.path, request.query)
        assert body is not None
        page = adapter().parse_instruments(body, request)
        assert page.left_out == {}
        found |= {one.symbol: one for one in page.instruments}
        request = page.next_request
    return found


def entries(liquidations: Sequence[Liquidation]) -> list[Entry]:
    """Liquidations as the ledger writes them; the same event seen twice counts once."""
    return [
        Entry(one.symbol, one.side, micro_usd(one.notional_usd)) for one in {e.id: e for e in liquidations}.values()
    ]


@pytest.mark.parametrize("kind", DIALECTS, ids=lambda kind: kind.venue)
def test_instruments_are_understood(kind: type[Dialect]) -> None:
    """Every listing's asset, units and contract size come out of the REST answer as they are."""
    dialect = kind(ASSETS, Market(SHORT, 1, T0).quotes(), T0)
    found = instruments(dialect)
    for symbol, listing in dialect.by_symbol.items():
        one = found[symbol]
        assert (one.asset, one.units) == (listing.asset, listing.units)
        assert one.contract_size == float(listing.contract_size)
        assert one.contract_value_currency == "base"
        assert one.trading


@pytest.mark.parametrize("kind", DIALECTS, ids=lambda kind: kind.venue)
def test_parsed_frames_sum_to_the_ledger(kind: type[Dialect]) -> None:
    """Everything that a subscriber of all topics gets is understood, and liquidations sum up to the micro-dollar."""
    market = Market(SHORT, 11, T0)
    dialect = kind(ASSETS, market.quotes(), T0)
    found = instruments(dialect)
    adapter = ADAPTERS[kind.venue](found)
    topics, messages = subscribe(dialect, adapter, list(found))
    market.begin(T0)
    while not market.progress.done:
        for outgoing in dialect.frames_for(market.step()):
            if outgoing.topic in topics:
                messages += adapter.parse(dialect.envelope(dialect.path, outgoing.topic, outgoing.frame), market.now_us)
    for outgoing in dialect.flush():
        if outgoing.topic in topics:
            messages += adapter.parse(dialect.envelope(dialect.path, outgoing.topic, outgoing.frame), market.now_us)
    assert [one for one in messages if isinstance(one, Reject)] == []
    liquidations = [one for one in messages if isinstance(one, Liquidation)]
    assert len({one.id for one in liquidations}) == len(liquidations)
    assert totals(entries(liquidations)) == dialect.ledger.shown
    seen = {(type(one), one.symbol) for one in messages if isinstance(one, (Trade, MarkPrice, OpenInterest))}
    for symbol in found:
        assert {(Trade, symbol), (MarkPrice, symbol)} <= seen
        assert ((OpenInterest, symbol) in seen) == (kind.venue != "binance-usdm")


def subscribe(dialect: Dialect, adapter: Adapter, symbols: Sequence[str]) -> tuple[set[str], list[Message]]:
    """Send the adapter's own requests; every one is acknowledged, greetings are read."""
    topics: set[str] = set()
    messages: list[Message] = []
    for connection in adapter.connections(symbols, CHANNELS):
        for request in connection.requests:
            answer = dialect.answer(request.frame, dialect.path, 1)
            acks = [one for frame in answer.frames for one in adapter.parse(frame, T0)]
            assert sorted(one.key for one in acks if isinstance(one, Ack)) == sorted(request.acks)
            assert len(acks) == len(request.acks)
            topics.update(answer.subscribe)
            greetings = [dialect.greeting(topic) for topic in answer.subscribe]
            messages += [one for frame in greetings if frame for one in adapter.parse(frame, T0)]
        if connection.keepalive:
            pong = dialect.answer(connection.keepalive.frame, dialect.path, 1).frames[0]
            assert isinstance(adapter.parse(pong, T0)[0], Pong)
    assert any(isinstance(one, Skipped) for one in messages) == (dialect.venue == "okx")
    return topics, messages


async def test_a_collector_counts_what_was_delivered_through_three_drops() -> None:
    """Over sockets cut three times mid-cascade every exchange's count is its ledger's, with gaps published."""
    bus = MemoryBus()
    reader = bus.subscriber((LIQUIDATIONS, FEEDS, REJECTS))
    settings = FleetSettings(session=SessionSettings(backoff_base_s=0.05), dial_interval_s=0.01)
    async with Arena(FALL, 5) as arena:
        fleets = []
        for venue, server in arena.exchanges.items():
            found = instruments(server.dialect)
            fleets.append(
                Fleet(
                    ADAPTERS[venue](found),
                    list(found),
                    CHANNELS,
                    bus.publisher(),
                    settings,
                    clock=lambda: time.time_ns() // 1_000,
                    rng=random.Random(1),
                    ws_url=server.ws_url,
                )
            )
        running = [asyncio.create_task(fleet.run()) for fleet in fleets]
        await asyncio.wait_for(arena.watched(), patient(5))
        playing = asyncio.create_task(arena.play())
        for cuts in range(3):
            await asyncio.sleep(0.6)
            # Else two cuts may be one gap.
            await until(lambda least=cuts: all(fleet.stats().total.gaps >= least for fleet in fleets))  # type: ignore[misc]
            await asyncio.wait_for(arena.watched(), patient(60))
            assert arena.drop_all() >= 3
        await playing
        await until(lambda: all(fleet.stats().total.gaps >= 3 for fleet in fleets))
        await asyncio.sleep(0.2)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        records = [record for batch in await reader.poll(0) for record in batch.records]
        assert [one for one in records if isinstance(one, Reject)] == []
        for venue in arena.exchanges:
            counted = [one for one in records if isinstance(one, Liquidation) and one.venue == venue]
            assert totals(entries(counted)) == arena.ledger(venue).delivered
            assert counted
            gaps = [one for one in records if isinstance(one, Gap) and one.venue == venue]
            assert len([one for one in gaps if one.channel == "liquidations"]) >= 3
