from __future__ import annotations

import dataclasses
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.simulate.listings import ASSETS, OKX, VENUE_SHARES, Listing, fixed
from tests.lab.simulate.builders import listing

LISTINGS = [one for asset in ASSETS for one in asset.listings.values()]


@given(st.integers(0, 10**15), st.integers(0, 12))
def test_fixed_is_exact(value: int, decimals: int) -> None:
    """A scaled integer is written as the same decimal number, without trailing zeros."""
    text = fixed(value, decimals)
    assert Decimal(text) == Decimal(value).scaleb(-decimals)
    assert "." not in text or text[-1] not in "0."


@given(st.sampled_from(LISTINGS), st.integers(1, 10**8), st.integers(1, 10**6))
def test_notional_is_what_the_wire_multiplies_to(one: Listing, ticks: int, lots: int) -> None:
    """Price text times quantity text times contract size is the exact notional, also in float64."""
    exact = Decimal(one.price_text(ticks)) * Decimal(one.quantity_text(lots)) * one.contract_size * 1_000_000
    assert one.micro_usd(ticks, lots) == exact
    read = float(one.price_text(ticks)) * float(one.quantity_text(lots)) * float(one.contract_size)
    if exact < 10**15:
        assert round(read * 1_000_000) == exact


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.name)
def test_a_lot_is_the_same_everywhere(asset: object) -> None:
    """One lot is the same amount of the asset on every venue."""
    chosen = next(one for one in ASSETS if one is asset)
    assert set(chosen.listings) == set(VENUE_SHARES)
    assert len({one.base_quantity(7) for one in chosen.listings.values()}) == 1
    assert chosen.lot_usd == pytest.approx(chosen.listings[OKX].base_quantity(1) * chosen.price)


def test_units_and_contracts() -> None:
    """A price of 1000 PEPE is a thousandth for one, and OKX counts contracts of ten million."""
    thousand, contracts = listing("bybit", "PEPE"), listing("okx", "PEPE")
    assert (thousand.symbol, contracts.symbol) == ("1000PEPEUSDT", "PEPE-USDT-SWAP")
    assert thousand.price_text(thousand.ticks(9.5e-6)) == "0.0095"
    assert contracts.price_text(contracts.ticks(9.5e-6)) == "0.0000095"
    assert thousand.price(thousand.ticks(9.5e-6)) == pytest.approx(9.5e-6)
    assert (thousand.quantity_text(3), contracts.quantity_text(3)) == ("3000", "0.3")


def test_a_price_has_at_least_one_tick() -> None:
    """No price is rounded to zero."""
    assert listing("bybit").ticks(1e-9) == 1


def test_a_lot_that_is_no_whole_micro_usd_is_refused() -> None:
    """Ticks and lots whose product needs more than six decimals are a fault of the table."""
    with pytest.raises(ValueError, match=r"BTCUSDT: one lot at one tick is 0\.1 micro-USD"):
        dataclasses.replace(listing("bybit"), price_decimals=4).micro_usd(1, 1)
