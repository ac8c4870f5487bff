"""Trying out a feed, on real servers on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pytest

from monitor.collect.probe import FeedFinding, check_feed, probes
from monitor.collect.quality.feed_health import REMEDY
from monitor.exchanges.adapter import Connection
from monitor.exchanges.instrument import Instrument
from monitor.exchanges.rest_requests import InstrumentPage, RestRequest
from monitor.model.events import Channel
from tests.collect.exchange import FAST, VENUE, Exchange, LoopbackAdapter, Peer, Script, by_symbol, now_us, plan
from tests.collect.rest_server import Answer, RestServer, rest_server

__all__ = ["rest_server"]

CHANNELS: tuple[Channel, ...] = ("trades",)


class Listed(LoopbackAdapter):
    """Its instruments are a JSON list of symbols."""

    def parse_instruments(self, body: bytes, request: RestRequest) -> InstrumentPage:
        """One a symbol."""
        return InstrumentPage([instrument(symbol) for symbol in json.loads(body)], {}, None)


class Drifting(Listed):
    """Knows nothing of what the exchange sends."""

    known_keys = frozenset({"e"})


def instrument(symbol: str, product: str = "", trading: bool = True) -> Instrument:
    """An instrument whose asset is its symbol's first three letters."""
    return Instrument(symbol, symbol[:3], 1, 1.0, "base", trading, product=product)


async def tried(server: RestServer, script: Script, kind: type[Listed] = Listed) -> list[FeedFinding]:
    """What is found of an exchange that runs ``script``."""
    async with Exchange(script) as exchange:
        return await check_feed(
            kind, CHANNELS, now_us, ws_url=exchange.url, rest_url=server.url, within_s=1.0, settings=FAST
        )


async def test_a_feed_that_confirms_and_speaks_is_well(rest_server: RestServer) -> None:
    """Instruments are there, and each kind of socket is whole."""
    rest_server.answers = [Answer(200, b'["ETHUSDT","BTCUSDT"]')]
    found = await tried(rest_server, by_symbol)
    assert [(one.what, one.ok) for one in found] == [(f"{VENUE} instruments", True), (f"{VENUE} market-0", True)]
    assert "2 instruments" in found[0].detail


async def test_a_feed_that_refuses_some_topics_is_not_whole(rest_server: RestServer) -> None:
    """Refused topics are named, although the others are delivered."""
    rest_server.answers = [Answer(200, b'["ETHUSDT","BTCUSDT"]')]

    class Doubled(Listed):
        """Subscribes a second key on each socket."""

        def connections(
            self, symbols: Sequence[str], channels: Iterable[Channel], ws_url: str | None = None
        ) -> list[Connection]:
            """One connection."""
            return [plan(ws_url or self.ws_url, keys=("BTCUSDT", "FOOUSDT"))]

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.asked()
        await peer.send(refuse="FOOUSDT", why="unknown symbol")
        await peer.chatter()

    found = await tried(rest_server, script, Doubled)
    assert [one.ok for one in found] == [True, False]
    assert "refuses these topics: FOOUSDT" in found[1].detail
    assert "venues.test-venue" in found[1].remedy


async def test_a_feed_that_confirms_and_stays_silent_is_not(rest_server: RestServer) -> None:
    """A silent socket, as on a moved path, is reported with that remedy."""

    async def script(peer: Peer) -> None:
        await peer.acknowledge()
        await peer.socket.wait_closed()

    rest_server.answers = [Answer(200, b'["BTCUSDT"]')]
    found = await tried(rest_server, script)
    assert (found[1].ok, found[1].remedy) == (False, REMEDY["stale"])


async def test_a_feed_that_refuses_says_why(rest_server: RestServer) -> None:
    """The reason is the one for which its sockets end."""

    async def script(peer: Peer) -> None:
        asked = await peer.asked()
        await peer.send(refuse=asked["subscribe"], why="no such channel")
        await peer.socket.wait_closed()

    rest_server.answers = [Answer(200, b'["BTCUSDT"]')]
    found = await tried(rest_server, script)
    assert not found[1].ok
    assert "refused" in found[1].detail
    assert found[1].remedy == REMEDY["refused"]


async def test_a_feed_whose_format_has_changed_is_not_well(rest_server: RestServer) -> None:
    """A feed that delivers frames with unknown fields is reported."""
    rest_server.answers = [Answer(200, b'["BTCUSDT"]')]
    found = await tried(rest_server, by_symbol, Drifting)
    assert not found[1].ok
    assert "unknown_key" in found[1].detail


@pytest.mark.parametrize("answer", [Answer(418, b"", (("Retry-After", "900"),)), Answer(200, b"[]")])
async def test_without_instruments_nothing_is_dialled(rest_server: RestServer, answer: Answer) -> None:
    """An API that does not answer or lists nothing is reported alone, because there is nothing to subscribe."""
    rest_server.answers = [answer]
    found = await tried(rest_server, by_symbol)
    assert [one.ok for one in found] == [False]


def test_one_symbol_of_each_market_is_tried() -> None:
    """Bitcoin where it trades, else ether, else the first by name."""
    table = [
        instrument("ADAUSDT", "linear"),
        instrument("BTCUSDT", "linear"),
        instrument("BTCUSD", "inverse", trading=False),
        instrument("ETHUSD", "inverse"),
        instrument("XRPUSDC", "other"),
        instrument("DOTUSDC", "other"),
    ]
    assert probes({one.symbol: one for one in table}) == ["BTCUSDT", "DOTUSDC", "ETHUSD"]
