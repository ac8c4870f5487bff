"""Tests that symbols of all exchanges give the same asset names."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.model.symbols import SymbolName, split_base, split_symbol
from monitor.model.validation import asset_fault

TABLE = Path(__file__).with_name("perpetuals.txt")


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
        ("10000000AIDOGEUSDT", ("AIDOGE", 10_000_000, "USDT", False)),
        ("10000000000FOOUSDT", ("FOO", 10_000_000_000, "USDT", False)),
        ("100000000000FOOUSDT", ("100000000000FOO", 1, "USDT", False)),
        ("FOO100000USDT", ("FOO", 100_000, "USDT", False)),
        ("u1000PEPEUSDT", ("PEPE", 1000, "USDT", False)),
        ("u10000000AIDOGEUSDT", ("AIDOGE", 10_000_000, "USDT", False)),
        ("u100PEPEUSDT", ("U100PEPE", 1, "USDT", False)),
        ("币安人生USDT", ("币安人生", 1, "USDT", False)),
        ("1000币安人生_USDT", ("币安人生", 1000, "USDT", False)),
        ("BTC-USD_UM_XPERP-310404", ("BTC", 1, "USD", False)),
        ("BTC_USD1", ("BTC", 1, "USD1", False)),
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


def perpetuals() -> list[tuple[str, str, int]]:
    """Return the bases of the table, each with its asset and the coins of one unit."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return [(line[0], *((line[1], int(line[2])) if len(line) > 1 else (line[0], 1))) for line in lines]


DIALECTS = (
    "{}USDT",
    "{}USDC",
    "{}-USDT-SWAP",
    "{}-USD_UM_XPERP-310404",
    "{}_USDT",
    "{}_USD1",
    "{}-USDT",
    "{}-USD",
    "{}USDTM",
    "{}USDCM",
    "{}_USDC-PERPETUAL",
    "PF_{}USD",
    "t{}F0:USTF0",
    "{}PERP",
)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_perpetuals_of_public_lists_are_read_in_every_dialect(dialect: str) -> None:
    """Each base gives its asset and multiple, quoted in dollars and without an expiry, however exchanges write it."""
    wrong = {}
    for base, asset, units in perpetuals():
        if base.startswith("k"):  # a small k is a thousand where symbols are not written in capitals alone
            continue
        name = split_symbol(dialect.format(base))
        if (name.asset, name.units, name.is_usd, name.dated) != (asset, units, True, False):
            wrong[base] = name
    assert wrong == {}


def test_bases_of_public_lists_are_read_alone_and_on_builder_exchanges() -> None:
    """Instrument tables name bases, and Hyperliquid names coins, ``kPEPE`` among them."""
    table = perpetuals()
    assert len(table) > 500
    assert {base: split_base(base) for base, _, _ in table} == {base: (asset, units) for base, asset, units in table}
    kilo = [base for base, _, _ in table if base.startswith("k")]
    assert {split_symbol(f"flx:{base}").units for base in kilo} == {1000}


def test_names_of_public_lists_pass_the_checks_of_names() -> None:
    """No asset of the table is refused as a name, Chinese ones included."""
    assert [asset for _, asset, _ in perpetuals() if asset_fault(asset)] == []
