"""Tests that symbols of all exchanges give the same asset names."""

from __future__ import annotations

import pytest

from monitor.model.symbols import SymbolName, split_base, split_symbol


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("BTCUSDT", ("BTC", 1, "USDT", False)),
        ("xyz:TSLA", ("TSLA", 1, "USD", False)),
        ("flx:kPEPE", ("PEPE", 1000, "USD", False)),
        ("XBTUSD", ("BTC", 1, "USD", False)),
        ("XBTUSDTM", ("BTC", 1, "USDT", False)),
        ("XBTUSDM", ("BTC", 1, "USD", False)),
        ("WBTCUSDT", ("BTC", 1, "USDT", False)),
        ("1000PEPEUSDT", ("PEPE", 1000, "USDT", False)),
        ("10000SATSUSDT", ("SATS", 10_000, "USDT", False)),
        ("1000000MOGUSDT", ("MOG", 1_000_000, "USDT", False)),
        ("1MBABYDOGEUSDT", ("BABYDOGE", 1_000_000, "USDT", False)),
        ("SHIB1000USDT", ("SHIB", 1000, "USDT", False)),
        ("1INCHUSDT", ("1INCH", 1, "USDT", False)),
        ("1000USDT", ("1000", 1, "USDT", False)),
        ("BTCUSDT_230929", ("BTC", 1, "USDT", True)),
        ("BTCUSD_PERP", ("BTC", 1, "USD", False)),
        ("BNBUSD_PERP", ("BNB", 1, "USD", False)),
        ("BTCFDUSD", ("BTC", 1, "FDUSD", False)),
        ("ETHBTC", ("ETH", 1, "BTC", False)),
        ("BTCPERP", ("BTC", 1, "USDC", False)),
        ("1000PEPEPERP", ("PEPE", 1000, "USDC", False)),
        ("BTC-26SEP25", ("BTC", 1, "USDC", True)),
        ("BTCUSDT-26SEP25", ("BTC", 1, "USDT", True)),
        ("BTCUSDZ25", ("BTC", 1, "USD", True)),
        ("BTC_USDT", ("BTC", 1, "USDT", False)),
        ("XBT_USD", ("BTC", 1, "USD", False)),
        ("ETH_BTC", ("ETH", 1, "BTC", False)),
        ("BTC-USDT-SWAP", ("BTC", 1, "USDT", False)),
        ("BTC-USD_UM-SWAP", ("BTC", 1, "USD", False)),
        ("BTC-USD-230929", ("BTC", 1, "USD", True)),
        ("ETH-BTC-SWAP", ("ETH", 1, "BTC", False)),
        ("btcusdt", ("BTC", 1, "USDT", False)),
        ("USDT", ("USDT", 1, "", False)),
        ("PERP", ("PERP", 1, "", False)),
        ("FOO", ("FOO", 1, "", False)),
    ],
)
def test_a_symbol_is_split_into_asset_units_and_quote(symbol: str, name: tuple[str, int, str, bool]) -> None:
    """Multiples, wrapped tokens, dated and coin-quoted instruments are recognised by their names."""
    assert split_symbol(symbol) == SymbolName(*name)


@pytest.mark.parametrize(("quote", "usd"), [("USDT", True), ("USDC", True), ("USD", True), ("BTC", False), ("", False)])
def test_only_dollars_and_their_stand_ins_are_usd(quote: str, usd: bool) -> None:
    """A quote currency is a US dollar only if it is in the list."""
    assert SymbolName("X", 1, quote).is_usd is usd


def test_a_base_is_a_bundle_only_with_a_name_beside_the_number() -> None:
    """A number alone is an asset's name and not a multiple."""
    assert split_base("1000") == ("1000", 1)
    assert split_base("1000cat") == ("CAT", 1000)
    assert split_base("kPEPE") == ("PEPE", 1000)
    assert split_base("KAS") == ("KAS", 1)
    assert split_base("kas") == ("KAS", 1)
