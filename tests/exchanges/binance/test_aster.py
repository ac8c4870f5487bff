"""Tests of Aster: Binance's frames on hosts of its own, with fewer requests a second."""

from __future__ import annotations

import json

from monitor.exchanges.binance.adapter import STREAMS_PER_CONNECTION
from monitor.exchanges.binance.aster import Aster
from monitor.exchanges.instrument import Instrument


def test_sockets_stay_within_the_limit_and_ask_slowly() -> None:
    """A socket has at most 200 streams, on the one path, and sends two requests a second."""
    symbols = [f"C{number}USDT" for number in range(150)]
    plans = Aster().connections(symbols, ["trades", "liquidations", "mark_price", "open_interest"])
    assert [len(plan.symbols) for plan in plans] == [66, 66, 18]
    for plan in plans:
        streams = [stream for request in plan.requests for stream in json.loads(request.frame)["params"]]
        assert len(streams) == 3 * len(plan.symbols) <= STREAMS_PER_CONNECTION
        assert (plan.url, plan.request_interval_s, plan.max_age_s) == (Aster.ws_url, 0.5, 84_600.0)
    assert "/market" not in Aster.ws_url


def test_the_table_is_read_as_binances() -> None:
    """Perpetuals quoted in dollars are kept, with sizes in base coins."""
    known = {"symbol": "1000PEPEUSDT", "contractType": "PERPETUAL", "status": "TRADING", "baseAsset": "1000PEPE"}
    symbols = [known | {"quoteAsset": "USDT", "onboardDate": 1627628400000}, known | {"quoteAsset": "BNB"}]
    page = Aster().parse_instruments(json.dumps({"symbols": symbols}).encode(), Aster.instruments_requests[0])
    assert page.instruments == [Instrument("1000PEPEUSDT", "PEPE", 1000, 1.0, "base", True, 1627628400000000)]
    assert Aster.instruments_requests[0].path == "/fapi/v3/exchangeInfo"


def test_no_history_is_asked_where_none_is_documented() -> None:
    """Open interest is polled; there are no requests for its history."""
    assert list(Aster().history(["BTCUSDT"], 1_764_000_000_000_000)) == []
    (poll,) = Aster().polls(["BTCUSDT"], ["open_interest"])
    assert poll.request.path == "/fapi/v3/openInterest"
