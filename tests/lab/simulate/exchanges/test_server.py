from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from monitor.lab.simulate.exchanges import server as server_module
from monitor.lab.simulate.exchanges.binance_usdm import BinanceUsdm
from monitor.lab.simulate.exchanges.bybit import Bybit
from monitor.lab.simulate.exchanges.server import ExchangeServer
from monitor.lab.simulate.listings import ASSETS
from tests.lab.simulate.builders import QUOTES, T0, order, read_bybit, step
from tests.waiting import patient

SUBSCRIBE = json.dumps({"op": "subscribe", "args": ["allLiquidation.BTCUSDT"]})


@pytest.fixture
async def server() -> AsyncIterator[ExchangeServer]:
    """A running Bybit."""
    async with ExchangeServer(Bybit(ASSETS, QUOTES, T0)) as running:
        yield running


async def subscribed(server: ExchangeServer) -> ClientConnection:
    """A client that has its acknowledgement."""
    client = await connect(server.ws_url)
    await client.send(SUBSCRIBE)
    assert json.loads(await client.recv())["success"]
    await server.watched()
    return client


def push(server: ExchangeServer, second: int) -> None:
    """One forced order, in a batch of its own."""
    end = 1_000 * second
    server.publish(server.dialect.frames_for(step(end, [order("bybit", end - 50, number=second)])))


async def test_what_is_sent_is_in_the_ledger(server: ExchangeServer) -> None:
    """A subscriber reads exactly what was shown; the ledger records that it was delivered, and to whom."""
    async with await subscribed(server) as client:
        for second in range(1, 4):
            push(server, second)
        read = [entry for _ in range(3) for entry in read_bybit(json.loads(await client.recv()))]
    assert len(read) == 3
    totals = server.dialect.ledger
    assert totals.delivered == totals.shown == totals.executed == totals.delivered_to(1)
    assert totals.delivered["BTCUSDT", "long"].micro_usd == sum(entry.micro_usd for entry in read)


async def test_nothing_is_sent_without_a_subscription(server: ExchangeServer) -> None:
    """Without a subscription nothing is sent, what was shown is not delivered, and unsubscribing ends it."""
    push(server, 1)
    async with await subscribed(server) as client:
        await client.send(SUBSCRIBE.replace("subscribe", "unsubscribe"))
        assert json.loads(await client.recv())["op"] == "unsubscribe"
        push(server, 2)
        await client.send('{"op":"ping"}')
        assert json.loads(await client.recv())["ret_msg"] == "pong"
    assert server.dialect.ledger.shown["BTCUSDT", "long"].orders == 2
    assert server.dialect.ledger.delivered == {}


async def test_greeting_follows_the_acknowledgement(server: ExchangeServer) -> None:
    """A ticker's subscriber gets the acknowledgement and then the snapshot, also after a binary request."""
    async with connect(server.ws_url) as client:
        await client.send(b'{"op":"subscribe","args":["tickers.BTCUSDT"]}')
        frames = [json.loads(await client.recv()) for _ in range(2)]
    assert frames[0]["success"]
    assert frames[1]["type"] == "snapshot"


async def test_dropped_sockets_end_without_a_close_frame(server: ExchangeServer) -> None:
    """drop_all cuts everybody; what is pushed meanwhile is lost; a new socket is served again."""
    first, second = await subscribed(server), await subscribed(server)
    push(server, 1)
    for client in (first, second):
        assert read_bybit(json.loads(await client.recv()))
    assert (server.drop_all(), server.dropped, server.clients) == (2, 2, 0)
    push(server, 2)
    for client in (first, second):
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
        assert closed.value.rcvd is None
    async with await subscribed(server) as again:
        push(server, 3)
        assert read_bybit(json.loads(await again.recv()))
    assert server.connects == 3
    ledger = server.dialect.ledger
    assert (ledger.shown["BTCUSDT", "long"].orders, ledger.delivered["BTCUSDT", "long"].orders) == (3, 2)
    assert ledger.delivered_to(1) == ledger.delivered_to(2)


async def test_watched_waits_for_a_subscriber_of_forced_orders(server: ExchangeServer) -> None:
    """It is not enough to connect, nor to have been there before."""
    waiting = asyncio.create_task(server.watched())
    client = await connect(server.ws_url)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await client.send(SUBSCRIBE)
    await asyncio.wait_for(waiting, patient(2))
    server.drop_all()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(server.watched(), 0.01)
    await client.close()


async def test_a_slow_reader_is_cut(server: ExchangeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose frames pile up beyond the queue is cut, as exchanges do, and what waited is not delivered."""
    monkeypatch.setattr(server_module, "QUEUE_FRAMES", 2)
    client = await subscribed(server)
    for second in range(1, 5):
        push(server, second)
    assert (server.overflows, server.clients) == (1, 0)
    with pytest.raises(ConnectionClosed):
        await client.recv()
    assert server.dialect.ledger.delivered == {}


async def test_a_socket_that_is_closing_takes_no_more(server: ExchangeServer) -> None:
    """What is pushed into the closing handshake is shown but not delivered."""
    client = await subscribed(server)
    closing = asyncio.create_task(server._clients[1].connection.close())
    await asyncio.sleep(0)
    push(server, 1)
    await closing
    with pytest.raises(ConnectionClosed):
        await client.recv()
    ledger = server.dialect.ledger
    assert ledger.shown["BTCUSDT", "long"].orders == 1
    assert ledger.delivered == {}


async def test_rest_and_websockets_share_a_port(server: ExchangeServer) -> None:
    """GET answers instruments; an unknown path is 404 for both; an exchange that is down refuses websockets."""
    async with httpx.AsyncClient(base_url=server.rest_url) as http:
        answer = await http.get("/v5/market/instruments-info", params={"category": "linear"})
        assert answer.json()["result"]["list"][0]["symbol"] == "BTCUSDT"
        assert answer.headers["content-type"] == "application/json"
        assert (await http.get("/nothing")).status_code == 404
    with pytest.raises(InvalidStatus, match="404"):
        await connect(server.ws_url + "/elsewhere")
    server.refusing = True
    with pytest.raises(InvalidStatus, match="503"):
        await connect(server.ws_url)


async def test_streams_named_in_the_address() -> None:
    """Binance's combined address subscribes by itself, and frames name their stream."""
    async with (
        ExchangeServer(BinanceUsdm(ASSETS, QUOTES, T0)) as server,
        connect(f"{server.ws_url}?streams=btcusdt@forceOrder/btcusdt@markPrice@1s") as client,
    ):
        await server.watched()
        for step_ms, forced in ((100, [order("binance-usdm", 50)]), (1_100, []), (2_000, [])):
            server.publish(server.dialect.frames_for(step(step_ms, forced)))
        frames = [json.loads(await client.recv()) for _ in range(2)]
        assert server.waiting == 0
    assert [frame["stream"] for frame in frames] == ["btcusdt@forceOrder", "btcusdt@markPrice@1s"]


async def test_a_server_outside_its_context_has_no_address() -> None:
    """Asking for the address of a server that does not run is an error with the remedy."""
    server = ExchangeServer(Bybit(ASSETS, QUOTES, T0))
    with pytest.raises(RuntimeError, match="the bybit server is not running"):
        _ = server.ws_url
    await server.__aexit__(None, None, None)
