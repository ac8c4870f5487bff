"""Every shape of frame that exchanges document, or that captures show, is held by a hand-written frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

from monitor.exchanges.registry import ADAPTERS
from monitor.exchanges.toolkit.gzip_frames import GZIP_HEAD, inflate
from tests.exchanges.cases import cases_of, compact

BINANCE: Final = {
    "forced order in a combined stream": ('"stream":"btcusdt@forceOrder"', '"X":"FILLED"'),
    "forced orders of all symbols": ('"stream":"!forceOrder@arr"',),
    "forced order that is not filled": ('"e":"forceOrder"', '"X":"NEW"'),
    "aggregate trade": ('"e":"aggTrade"',),
    "mark price": ('"e":"markPriceUpdate"',),
    "mark prices of all symbols": ('"stream":"!markPrice@arr@1s"',),
    "subscription confirmed": ('"result":null', '"id":'),
}
DERIBIT: Final = {
    "liquidated taker": ('"liquidation":"T"',),
    "liquidated maker": ('"liquidation":"M"',),
    "liquidated on both sides": ('"liquidation":"MT"',),
    "trade": ('"channel":"trades.', '"direction":'),
    "block trade": ('"block_trade_id":',),
    "ticker": ('"channel":"ticker.', '"mark_price":', '"open_interest":'),
    "test request": ('"type":"test_request"',),
    "subscription confirmed": ('"result":[',),
    "error": ('"error":{',),
}
SHAPES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "binance-usdm": BINANCE
    | {
        "forced order by itself": ('{"e":"forceOrder"',),
        "merged stream, linear": ('"e":"forceOrder"', '"st":1'),
        "merged stream, coin-margined": ('"st":2',),
        "trade without retail price improvement": ('"e":"aggTrade"', '"nq":'),
    },
    "binance-coinm": {
        "forced order with its pair": ('"e":"forceOrder"', '"ps":"BTCUSD"'),
        "aggregate trade": ('"e":"aggTrade"',),
        "mark price": ('"e":"markPriceUpdate"',),
        "subscription confirmed": ('"result":null',),
    },
    "aster": {
        "forced order": ('"e":"forceOrder"',),
        "aggregate trade": ('"e":"aggTrade"',),
        "mark price": ('"e":"markPriceUpdate"',),
    },
    "bybit": {
        "all liquidations": ('"topic":"allLiquidation.', '"S":"Buy"'),
        "several in a batch": ('"topic":"allLiquidation.', '},{"T":'),
        "inverse liquidation": ('"topic":"allLiquidation.BTCUSD"',),
        "older topic, one object": ('"topic":"liquidation.BTCUSDT"', '"updatedTime":', '"size":'),
        "older topic before version 5": ('"topic":"liquidation.', '"qty":', '"time":'),
        "trade": ('"topic":"publicTrade.', '"S":"Buy"'),
        "block trade": ('"BT":true',),
        "ticker snapshot, one side": ('"topic":"tickers.', '"type":"snapshot"', '"singleOpenInterest":'),
        "ticker snapshot, both sides": ('"topic":"tickers.', '"type":"snapshot"', '"openInterest":'),
        "ticker delta": ('"topic":"tickers.', '"type":"delta"'),
        "dated future": ('"topic":"tickers.', '"fundingRate":""'),
        "subscription confirmed": ('"op":"subscribe"', '"success":true'),
        "subscription refused": ('"success":false',),
        "pong, linear": ('"ret_msg":"pong"',),
        "pong, elsewhere": ('"op":"pong"',),
    },
    "okx": {
        "liquidation, long": ('"channel":"liquidation-orders"', '"posSide":"long"', '"bkPx":'),
        "liquidation, net": ('"posSide":"net"',),
        "several details": ('"details":[{', '},{"'),
        "liquidations of futures": ('"channel":"liquidation-orders"', '"instType":"FUTURES"'),
        "perpetual of the type FUTURES": ("_UM_XPERP-310404", '"channel":"liquidation-orders"'),
        "trade of several fills": ('"channel":"trades"', '"count":'),
        "mark price": ('"channel":"mark-price"', '"markPx":'),
        "funding rate": ('"channel":"funding-rate"', '"fundingRate":', '"ts":'),
        "funding rate of a new swap": ('"channel":"funding-rate"', '"nextFundingRate":"0.0003"'),
        "open interest": ('"channel":"open-interest"', '"oiUsd":'),
        "open interest without its value": ('"channel":"open-interest"', '"oiCcy":'),
        "subscription confirmed": ('"event":"subscribe"',),
        "error": ('"event":"error"',),
        "notice": ('"event":"notice"',),
        "pong": ("pong",),
    },
    "bitget": {
        "liquidation": ('"topic":"liquidation"', '"amount":'),
        "trade": ('"topic":"publicTrade"', '"action":"update"'),
        "trades of before": ('"topic":"publicTrade"', '"action":"snapshot"'),
        "ticker": ('"topic":"ticker"', '"openInterest":'),
        "subscription confirmed": ('"event":"subscribe"',),
        "error": ('"event":"error"',),
        "pong": ("pong",),
    },
    "gate": {
        "liquidation as seen": ('"channel":"futures.public_liquidates"', '"result":{"contract"', '"time":17'),
        "liquidations as documented": ('"channel":"futures.public_liquidates"', '"result":[{', '"time_ms":'),
        "decimal size": ('"channel":"futures.public_liquidates"', '"size":"-'),
        "settled in USD1": ('"contract":"BTC_USD1"',),
        "settled in BTC": ('"contract":"BTC_USD"', '"channel":"futures.public_liquidates"'),
        "trade": ('"channel":"futures.trades"', '"create_time_ms":'),
        "trade in seconds": ('"channel":"futures.trades"', '"create_time":'),
        "take-over": ('"is_internal":true',),
        "ticker": ('"channel":"futures.tickers"', '"result":[{', '"total_size":'),
        "ticker of 2021": ('"channel":"futures.tickers"', '"result":[[{'),
        "ticker of 2022": ('"channel":"futures.tickers"', '"result":{"contract"'),
        "next funding": ('"funding_next_apply":',),
        "subscription confirmed": ('"event":"subscribe"', '"status":"success"'),
        "subscription refused": ('"error":{"code":',),
        "subscription repeated": ('"message":"Alert sub',),
        "upgrade": ('"channel":"futures.system"',),
        "pong": ('"channel":"futures.pong"',),
    },
    "htx": {
        "liquidation, linear": ("liquidation_orders", '"trade_turnover":', '"offset":"close"'),
        "liquidation, one position a contract": ("liquidation_orders", '"offset":"both"'),
        "liquidation, coin-margined": ("liquidation_orders", '"contract_code":"BTC-USD"'),
        "trade pushed": ("trade.detail", '"tick":{', '"quantity":'),
        "trade without coins": ("trade.detail", '"data":[{"amount":8,"ts"'),
        "trade without a direction": ("trade.detail", '"direction":""'),
        "answer to a request": ('"rep":"market.', '"data":[{"id"'),
        "REST answer in groups": ("trade.detail", '"data":[{"data":[{'),
        "mark price": ("mark_price.1min", '"close":'),
        "funding rate": ("funding_rate", '"settlement_time":'),
        "funding not known yet": ('"funding_rate":null',),
        "market ping": ('{"ping":',),
        "notification ping": ('"op":"ping"',),
        "market topic confirmed": ('"subbed":',),
        "notification confirmed": ('"op":"sub"', '"err-code":0'),
        "subscription repeated": ('"err-code":2014',),
        "closing": ('"op":"close"',),
        "compressed": ("gzip:", "trade.detail"),
    },
    "deribit": DERIBIT | {"implied volatility": ("deribit_volatility_index.", '"volatility":')},
    "coinbase-intl": {name: DERIBIT[name] for name in ("trade", "ticker", "test_request".replace("_", " "))},
    "kraken": {
        "liquidation": ('"feed":"trade"', '"type":"liquidation"'),
        "fill": ('"feed":"trade"', '"type":"fill"', '"uid":'),
        "fill without uid": ('"feed":"trade"', '"type":"fill","seq":'),
        "termination": ('"type":"termination"',),
        "block": ('"type":"block"',),
        "assignment": ('"type":"assignment"',),
        "fills of before": ('"feed":"trade_snapshot"',),
        "ticker of a perpetual": ('"feed":"ticker"', '"relative_funding_rate":'),
        "subscription confirmed": ('"event":"subscribed"', '"product_ids":'),
        "subscription refused": ('"event":"subscribed_failed"',),
        "error": ('"event":"error"',),
        "heartbeat": ('"feed":"heartbeat"',),
        "greeting": ('"event":"info"',),
    },
    "dydx": {
        "liquidation": ('"channel":"v4_trades"', '"type":"LIQUIDATED"'),
        "in batches": ('"type":"channel_batch_data"',),
        "deleveraging": ('"type":"DELEVERAGED"',),
        "part of a spread order": ('"type":"TWAP_SUBORDER"',),
        "limit order": ('"type":"LIMIT"',),
        "market order": ('"type":"MARKET"',),
        "trades of before": ('"type":"subscribed"', '"channel":"v4_trades"'),
        "markets at the subscription": ('"type":"subscribed"', '"channel":"v4_markets"', '"openInterest":'),
        "what changed of markets": ('"trading":{', '"openInterest":'),
        "oracle price": ('"oraclePrices":{', '"effectiveAt":'),
        "greeting": ('"type":"connected"',),
        "error": ('"type":"error"',),
    },
    "extended": {
        "trade": ('"type":"TRADES"', '"tT":"TRADE"'),
        "liquidation": ('"type":"TRADES"', '"tT":"LIQUIDATION"'),
        "deleveraging": ('"tT":"DELEVERAGE"',),
        "mark price": ('"type":"PRICES.MP"', '"ts":0'),
        "index price": ('"type":"PRICES.IP"',),
        "funding": ('"type":"FUNDING_RATES"', '"f":'),
        "subscription confirmed": ('"result":{"method":"subscribe"', '"subscription":'),
        "error": ('"error":{"code":',),
    },
    "bitfinex": {
        "execution": (",null,1,1,null,80000]]",),
        "trigger without a price": (",null,0,1,null,null]]",),
        "trigger with null for its flag": (",null,null,null,null,null]]",),
        "trigger with a price": (",null,0,1,null,80000]]",),
        "execution without a price": (",null,1,1,null,null]]",),
        "time with a fraction": (",1764000000828.2002,",),
        "trade": ('"te",[',),
        "trade repeated": ('"tu",[',),
        "trades of before": ("[19111,[[",),
        "status": ("[335856,[1764000000120,",),
        "subscription confirmed": ('"event":"subscribed"', '"chanId":'),
        "flags confirmed": ('"event":"conf"',),
        "alive": ('"hb"',),
        "restart": ('"code":20051',),
    },
    "lighter": {
        "liquidation": ('"type":"update/trade"', '"liquidation_trades":[{'),
        "trades alone": ('"type":"update/trade"', '"trades":[{'),
        "deleveraging": ('"type":"deleverage"',),
        "trades of before": ('"type":"subscribed/trade"',),
        "state of all markets": ('"channel":"market_stats:all"', '"type":"update/market_stats"'),
        "state at the subscription": ('"type":"subscribed/market_stats"',),
        "funding": ('"current_funding_rate":', '"funding_timestamp":'),
        "subscription ended": ('"type":"unsubscribed"',),
        "error of a channel": ('"type":"error"', '"channel":'),
        "error alone": ('"error":{"code":',),
        "ping": ('"type":"ping"',),
        "greeting": ('"type":"connected"',),
    },
    "hyperliquid": {
        "trade": ('"channel":"trades"', '"tid":'),
        "context": ('"channel":"activeAssetCtx"', '"markPx":'),
        "fill of a liquidation": ('"channel":"userFills"', '"liquidation":{'),
        "fills of before": ('"channel":"userFills"', '"isSnapshot":true'),
        "builder exchange": ('"coin":"xyz:',),
        "subscription confirmed": ('"channel":"subscriptionResponse"',),
        "pong": ('"channel":"pong"',),
    },
    "kucoin": {
        "trade": ('"topic":"/contractMarket/execution:', '"tradeId":'),
        "mark and index": ('"subject":"mark.index.price"',),
        "current funding": ('"subject":"funding.rate"', '"granularity":28800000'),
        "predicted funding": ('"subject":"funding.rate"', '"granularity":60000'),
        "greeting": ('"type":"welcome"',),
        "subscription confirmed": ('"type":"ack"',),
        "pong": ('"type":"pong"',),
        "error": ('"type":"error"',),
    },
    "mexc": {
        "numbered trades": ('"channel":"push.deal"', '"i":"'),
        "trade as one object": ('"channel":"push.deal"', '"data":{'),
        "ticker": ('"channel":"push.ticker"', '"holdVol":'),
        "funding": ('"channel":"push.funding.rate"', '"rate":'),
        "newer funding": ('"channel":"push.funding.rate"', '"fundingRate":'),
        "subscription confirmed": ('"channel":"rs.sub.',),
        "error": ('"channel":"rs.error"',),
        "pong": ('"channel":"pong"',),
    },
    "bingx": {
        "trade": ('"dataType":"BTC-USDT@trade"', '"m":'),
        "mark price": ("@markPrice", '"p":'),
        "coin-margined": ('"dataType":"BTC-USD@trade"',),
        "compressed": ("gzip:", "@trade"),
        "ping as a word": ("Ping",),
        "ping as an object": ('"ping":', '"time":'),
        "subscription confirmed": ('"code":0', '"id":"'),
    },
    "phemex": {
        "trade": ('"trades_p":[[', '"type":"incremental"'),
        "trades of before": ('"trades_p":[[', '"type":"snapshot"'),
        "tickers with their columns": ("perp_market24h_pack_p.update", '"fields":['),
        "tickers without columns": ("perp_market24h_pack_p.update", '"type":"incremental"'),
        "subscription confirmed": ('"result":{"status":"success"}',),
        "error": ('"error":{"code":',),
        "pong": ('"result":"pong"',),
    },
    "bitmex": {
        "liquidation inserted": ('"table":"liquidation"', '"action":"insert"'),
        "liquidation amended": ('"table":"liquidation"', '"action":"update"'),
        "liquidation gone": ('"table":"liquidation"', '"action":"delete"'),
        "trade": ('"table":"trade"', '"trdMatchID":'),
        "settlement": ('"trdType":"Settlement"',),
        "instrument": ('"table":"instrument"', '"markPrice":'),
        "open interest alone": ('"data":[{"symbol":"XBTUSD","openInterest":58922153}]',),
        "rows of before": ('"action":"partial"',),
        "greeting": ('"info":',),
        "pong": ("pong",),
    },
}
"""By venue: each shape, and texts that a frame of it has all of.

Sources are those of the adapters: the exchanges' documents, and frames that other programs captured.
"""


def texts_of(venue: str) -> list[str]:
    """Return the hand-written frames of a venue as compact text; a compressed one begins with ``gzip:``."""
    texts = []
    for case in cases_of(venue):
        for content in case.frames:
            frame = compact(content)
            packed = frame.startswith(GZIP_HEAD)
            texts.append(("gzip:" if packed else "") + inflate(frame).decode(errors="replace"))
    return texts


@pytest.mark.parametrize("venue", ADAPTERS)
def test_every_documented_shape_has_a_frame(venue: str) -> None:
    """Shapes without a hand-written frame, whose expected events the frames' own test checks, are listed."""
    texts = texts_of(venue)
    shapes = SHAPES[venue]
    missing = [shape for shape, parts in shapes.items() if not any(all(p in text for p in parts) for text in texts)]
    assert missing == [], f"write a frame of these shapes into tests/exchanges/frames/{venue}/"


def test_shapes_name_the_exchanges_that_are_read() -> None:
    """A new exchange is finished only with the shapes of its frames."""
    assert SHAPES.keys() == ADAPTERS.keys()
