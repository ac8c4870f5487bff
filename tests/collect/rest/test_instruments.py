"""Instrument tables against a real HTTP server that misbehaves, and their cache."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from monitor.collect.rest.client import Rest
from monitor.collect.rest.instruments import (
    KEPT_S,
    InstrumentStore,
    InstrumentsUnavailable,
    InstrumentTable,
    instruments_in,
    read_instruments,
)
from monitor.exchanges.binance.usdm import BinanceUsdm
from monitor.exchanges.bybit.adapter import Bybit
from monitor.exchanges.instrument import Instrument
from monitor.model.errors import OperatorError
from tests.collect.rest_server import Answer, Pauses, RestServer, rest_server

__all__ = ["rest_server"]


def binance(*symbols: str) -> bytes:
    """An exchangeInfo of these symbols."""
    common = {"contractType": "PERPETUAL", "status": "TRADING", "quoteAsset": "USDT"}
    return json.dumps({"symbols": [common | {"symbol": s, "baseAsset": s[:-4]} for s in symbols]}).encode()


def bybit(symbol: str, cursor: str) -> bytes:
    """One page of one instrument."""
    row = {"symbol": symbol, "contractType": "LinearPerpetual", "status": "Trading", "baseCoin": symbol[:-4]}
    result = {"list": [row | {"quoteCoin": "USDT"}], "nextPageCursor": cursor}
    return json.dumps({"retCode": 0, "result": result}).encode()


NOW_US = 1_764_000_000_000_000
GOOD = Answer(200, binance("BTCUSDT"))
BTC = {"BTCUSDT": Instrument("BTCUSDT", "BTC", 1, 1.0, "base")}


def store(folder: Path, pauses: Pauses, now_us: int = NOW_US) -> InstrumentStore:
    """A store whose clock stands still and that does not wait."""
    return InstrumentStore(folder / "cache", lambda: now_us, rest=Rest(pauses, pauses.now_s))


async def test_a_table_is_fetched_and_kept(rest_server: RestServer, tmp_path: Path) -> None:
    """The answer becomes the table; it stands in the cache, no temporary file beside it, and the tap saw it."""
    rest_server.answers = [GOOD]
    bodies: list[tuple[str, int, bytes]] = []
    loader = InstrumentStore(tmp_path / "cache", lambda: NOW_US, on_body=lambda *seen: bodies.append(seen))
    assert await loader.load(BinanceUsdm, rest_server.url) == BTC
    assert rest_server.asked == ["/fapi/v1/exchangeInfo"]
    assert [(venue, at, instruments_in(BinanceUsdm(), body)) for venue, at, body in bodies] == [
        ("binance-usdm", NOW_US, BTC)
    ]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["instruments-binance-usdm.json"]
    table = loader.tables["binance-usdm"]
    assert (table.from_cache, table.age_s(NOW_US + 1_500_000)) == (False, 1.5)


async def test_a_table_that_shrinks_is_refused_for_a_day(rest_server: RestServer, tmp_path: Path) -> None:
    """Half a table, and one on which all is halted, leave the last one as it was, also after a restart."""
    symbols = [f"COIN{number}USDT" for number in range(20)]
    whole, half = binance(*symbols), binance(*symbols[:10])
    rest_server.answers = [Answer(200, whole), Answer(200, half), Answer(200, whole.replace(b"TRADING", b"BREAK"))]
    loader = store(tmp_path, Pauses())
    for _ in range(3):
        loaded = await loader.load(BinanceUsdm, rest_server.url)
        assert sum(one.trading for one in loaded.values()) == 20
    assert loader.failures["binance-usdm"] == 2
    rest_server.answers = [Answer(200, half)]
    restarted = store(tmp_path, Pauses(), NOW_US + 1_000_000)
    assert len(await restarted.load(BinanceUsdm, rest_server.url)) == 20
    assert restarted.failures["binance-usdm"] == 1
    day_later = store(tmp_path, Pauses(), NOW_US + round((KEPT_S + 1.0) * 1e6))
    assert len(await day_later.load(BinanceUsdm, rest_server.url)) == 10
    assert day_later.failures["binance-usdm"] == 0


async def test_a_few_delistings_are_taken_over(rest_server: RestServer, tmp_path: Path) -> None:
    """A table that loses less than the share, and a small one that loses all but one symbol, are the new tables."""
    symbols = [f"COIN{number}USDT" for number in range(20)]
    rest_server.answers = [Answer(200, binance(*symbols)), Answer(200, binance(*symbols[:15]))]
    loader = store(tmp_path, Pauses())
    assert len(await loader.load(BinanceUsdm, rest_server.url)) == 20
    assert len(await loader.load(BinanceUsdm, rest_server.url)) == 15
    rest_server.answers = [Answer(200, binance(*symbols[:9])), Answer(200, binance(symbols[0]))]
    small = store(tmp_path / "small", Pauses())
    assert len(await small.load(BinanceUsdm, rest_server.url)) == 9
    assert len(await small.load(BinanceUsdm, rest_server.url)) == 1


async def test_pages_are_followed_by_their_cursor(rest_server: RestServer, tmp_path: Path) -> None:
    """Each cursor requests the next page; the pages make one table."""
    rest_server.answers = [
        Answer(200, bybit("BTCUSDT", "next page")),
        Answer(200, bybit("ETHUSDT", "")),
    ]  # and for inverse
    assert set(await store(tmp_path, Pauses()).load(Bybit, rest_server.url)) == {"BTCUSDT", "ETHUSDT"}
    assert rest_server.asked == [
        "/v5/market/instruments-info?category=linear&limit=1000",
        "/v5/market/instruments-info?category=linear&limit=1000&cursor=next+page",
        "/v5/market/instruments-info?category=inverse&limit=1000",
    ]


async def test_a_cursor_without_end_is_an_error(
    rest_server: RestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange that never stops paging does not hold the start for ever."""
    monkeypatch.setattr("monitor.collect.rest.client.MAX_PAGES", 4)
    rest_server.answers = [Answer(200, bybit("BTCUSDT", "again"))]
    with pytest.raises(InstrumentsUnavailable, match="more than"):
        await store(tmp_path, Pauses()).load(Bybit, rest_server.url)
    assert len(rest_server.asked) == 2 * 4  # of both markets


@pytest.mark.parametrize("status", [429, 418])
async def test_a_throttle_is_obeyed(rest_server: RestServer, tmp_path: Path, status: int) -> None:
    """The next attempt waits at least for the exchange's Retry-After."""
    rest_server.answers = [Answer(status, b"", (("Retry-After", "7"),)), GOOD]
    pauses = Pauses()
    assert await store(tmp_path, pauses).load(BinanceUsdm, rest_server.url) == BTC
    assert pauses.now_s() >= 7


async def test_a_ban_is_not_sat_out(rest_server: RestServer, tmp_path: Path) -> None:
    """A Retry-After of hours ends the request at once."""
    rest_server.answers = [Answer(418, b"", (("Retry-After", "7200"),))]
    pauses = Pauses()
    with pytest.raises(InstrumentsUnavailable, match="HTTP 418"):
        await store(tmp_path, pauses).load(BinanceUsdm, rest_server.url)
    assert (len(rest_server.asked), pauses) == (1, [])


@pytest.mark.parametrize(
    "bad",
    [
        Answer(200, b"{"),
        Answer(200, b"<html>maintenance</html>"),
        Answer(500, b""),
        Answer(429, b"", (("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"),)),
    ],
    ids=["broken JSON", "a page for people", "a server error", "a throttle with a date"],
)
async def test_a_bad_answer_is_asked_for_again(rest_server: RestServer, tmp_path: Path, bad: Answer) -> None:
    """What may be better next time is tried again after a short pause."""
    rest_server.answers = [bad, bad, GOOD]
    pauses = Pauses()
    assert await store(tmp_path, pauses).load(BinanceUsdm, rest_server.url) == BTC
    assert len(pauses) >= 2
    assert pauses.now_s() <= 20


async def test_an_empty_table_is_no_table(rest_server: RestServer, tmp_path: Path) -> None:
    """Replacing a good table by an empty one would quarantine everything."""
    rest_server.answers = [Answer(200, binance())]
    with pytest.raises(InstrumentsUnavailable, match="holds no instrument"):
        await store(tmp_path, Pauses()).load(BinanceUsdm, rest_server.url)


async def test_the_cache_stands_in_for_an_exchange_out_of_reach(rest_server: RestServer, tmp_path: Path) -> None:
    """The last table is used, is marked as from the cache, and shows its age."""
    rest_server.answers = [GOOD]
    await store(tmp_path, Pauses()).load(BinanceUsdm, rest_server.url)
    later = store(tmp_path, Pauses(), NOW_US + 60_000_000)
    assert await later.load(BinanceUsdm, "http://127.0.0.1:1") == BTC
    table = later.tables["binance-usdm"]
    assert (table.from_cache, table.age_s(NOW_US + 60_000_000)) == (True, 60.0)


BROKEN = Answer(404, b"")


async def test_only_the_market_that_failed_comes_from_the_cache(
    rest_server: RestServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The other markets' changes apply; the failure is counted and logged, and the age is the oldest market's."""
    rest_server.answers = [
        Answer(200, bybit("OLDUSDT", "more")),
        Answer(200, bybit("ETHUSDT", "")),
        Answer(200, bybit("BTCUSD", "")),
    ]
    await store(tmp_path, Pauses()).load(Bybit, rest_server.url)
    rest_server.answers = [Answer(200, bybit("ETHUSDT", "more")), Answer(200, bybit("NEWUSDT", "")), BROKEN]
    later = store(tmp_path, Pauses(), NOW_US + 60_000_000)
    assert set(await later.load(Bybit, rest_server.url)) == {"ETHUSDT", "NEWUSDT", "BTCUSD"}
    table = later.tables["bybit"]
    assert (table.from_cache, table.age_s(NOW_US + 60_000_000)) == (True, 60.0)
    assert later.failures == {"bybit": 1}
    assert (
        "instruments are taken from the cache (/v5/market/instruments-info?category=inverse&limit=1000)" in caplog.text
    )
    rest_server.answers = [BROKEN, Answer(200, bybit("BTCUSD", ""))]
    last = store(tmp_path, Pauses(), NOW_US + 120_000_000)
    assert set(await last.load(Bybit, rest_server.url)) == {"ETHUSDT", "NEWUSDT", "BTCUSD"}
    assert last.tables["bybit"].age_s(NOW_US + 120_000_000) == 60.0


async def test_a_market_that_was_never_had_is_no_part_of_a_table(rest_server: RestServer, tmp_path: Path) -> None:
    """A table without one of the venue's markets would quarantine it in silence: it is requested until it is loaded."""
    rest_server.answers = [Answer(200, bybit("ETHUSDT", "")), BROKEN]
    with pytest.raises(InstrumentsUnavailable, match="HTTP 404; there is no cache"):
        await store(tmp_path, Pauses()).load(Bybit, rest_server.url)


async def test_a_cache_that_does_not_know_its_markets_stands_in_for_all(
    rest_server: RestServer, tmp_path: Path
) -> None:
    """As version 0.1 wrote it."""
    old = msgspec.json.encode(InstrumentTable("bybit", BTC, {}, NOW_US)).replace(b',"markets":{}', b"")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "instruments-bybit.json").write_bytes(old)
    rest_server.answers = [Answer(200, bybit("ETHUSDT", "")), BROKEN]
    assert await store(tmp_path, Pauses()).load(Bybit, rest_server.url) == BTC


async def test_a_recording_made_from_the_cache_knows_the_contracts(rest_server: RestServer, tmp_path: Path) -> None:
    """The tap sees the cached table in the answer's place, and reading either gives the same instruments."""
    rest_server.answers = [GOOD]
    await store(tmp_path, Pauses()).load(BinanceUsdm, rest_server.url)
    seen: list[bytes] = []
    later = InstrumentStore(
        tmp_path / "cache", lambda: NOW_US, on_body=lambda _venue, _at, body: seen.append(body), rest=Rest(Pauses())
    )
    await later.load(BinanceUsdm, "http://127.0.0.1:1")
    assert [instruments_in(BinanceUsdm(), body) for body in (*seen, GOOD.body)] == [BTC, BTC]


async def test_without_exchange_and_cache_there_is_nothing(tmp_path: Path) -> None:
    """The error names the failure and the cache's path."""
    with pytest.raises(InstrumentsUnavailable, match=r"there is no cache at .*instruments-binance-usdm"):
        await store(tmp_path, Pauses()).load(BinanceUsdm, "http://127.0.0.1:1")


@pytest.mark.parametrize("content", [b"", b"{", b'{"venue":1}', b"\xff\xfe"])
async def test_a_corrupt_cache_is_an_error_in_words(tmp_path: Path, content: bytes) -> None:
    """A cache that cannot be read is named, never half used."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "instruments-binance-usdm.json").write_bytes(content)
    with pytest.raises(InstrumentsUnavailable, match="cannot be read"):
        await store(tmp_path, Pauses()).load(BinanceUsdm, "http://127.0.0.1:1")


async def test_a_cache_that_cannot_be_written_does_not_stop_collecting(
    rest_server: RestServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The table is used all the same, and the log names the fault."""
    rest_server.answers = [GOOD]
    (tmp_path / "cache").write_text("a file where a directory should be")
    assert await store(tmp_path, Pauses()).load(BinanceUsdm, rest_server.url) == BTC
    assert "instruments_cache: cannot be written" in caplog.text


def test_given_sizes_are_read(tmp_path: Path) -> None:
    """The file of ``--instruments`` gives contract sizes; assets come from the names."""
    path = tmp_path / "sizes.json"
    path.write_text('{"BTC-USD-SWAP": {"contract_size": 100, "contract_value_currency": "usd"}}')
    assert read_instruments(path) == {"BTC-USD-SWAP": Instrument("BTC-USD-SWAP", "BTC", 1, 100.0, "usd")}


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"BTC-USDT-SWAP": {"contract_size": 0, "contract_value_currency": "base"}}',
        '{"BTC-USDT-SWAP": {"contract_size": 1, "contract_value_currency": "quote"}}',
        '{"BTC-USDT-SWAP": {"contract_size": 1}}',
        '{"BTC-USDT-SWAP": {"contract_size": 1, "contract_value_currency": "base", "more": 1}}',
        '{"ETH-BTC-SWAP": {"contract_size": 1, "contract_value_currency": "base"}}',
    ],
)
def test_wrong_sizes_are_refused_with_the_file(tmp_path: Path, content: str) -> None:
    """Whatever is wrong with the file, the message names it."""
    path = tmp_path / "sizes.json"
    path.write_text(content)
    with pytest.raises(OperatorError, match=r"sizes\.json"):
        read_instruments(path)


def test_a_missing_file_of_sizes_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is an error for the person at the keyboard."""
    with pytest.raises(OperatorError, match=r"none\.json"):
        read_instruments(tmp_path / "none.json")
