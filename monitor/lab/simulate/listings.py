"""Lists what is traded where: assets, and each venue's symbol with its tick, lot and contract size.

All quantities are whole lots and all prices whole ticks, so a notional is an exact integer of micro-USD and any reader
who multiplies what the wire shows gets the same number. One lot is the same amount of the asset on every venue. Tick
sizes and contract values are the venues' own at the time of writing, lots are multiples of their quantity steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

from monitor.model.events import MICROS

BINANCE_USDM: Final = "binance-usdm"
BYBIT: Final = "bybit"
OKX: Final = "okx"

VENUE_SHARES: Final[Mapping[str, float]] = {BINANCE_USDM: 0.45, BYBIT: 0.30, OKX: 0.25}
"""Share of the flow by venue, roughly the three venues' relative open interest in 2026."""


def fixed(value: int, decimals: int) -> str:
    """Return ``value`` * 10**-``decimals`` as a decimal string without trailing zeros: ``fixed(1250, 3)`` is 1.25."""
    if decimals == 0:
        return str(value)
    whole, fraction = divmod(value, 10**decimals)
    return f"{whole}.{fraction:0{decimals}d}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Listing:
    """One symbol of one venue.

    Attributes:
        venue: name of the venue.
        symbol: the venue's own spelling.
        asset: canonical base asset.
        base: the base as the venue spells it, such as ``1000PEPE``.
        units: units of ``asset`` in one ``base``; prices are for one ``base``.
        price_decimals: a tick is 10**-price_decimals USD.
        lot: quantity of one lot on the wire, in ``base`` or in contracts.
        contract_size: ``base`` per unit of the wire's quantity; 1 where the venue counts in ``base``.
    """

    venue: str
    symbol: str
    asset: str
    base: str
    units: int
    price_decimals: int
    lot: Decimal
    contract_size: Decimal = Decimal(1)

    @cached_property
    def micro_usd_per_tick_lot(self) -> int:
        """Return micro-USD of one lot at one tick. Raises ``ValueError`` if that is no whole number."""
        exact = Decimal(MICROS).scaleb(-self.price_decimals) * self.lot * self.contract_size
        if exact != int(exact) or exact < 1:
            raise ValueError(
                f"{self.venue} {self.symbol}: one lot at one tick is {exact.normalize()} micro-USD, not a whole number"
            )
        return int(exact)

    @cached_property
    def _lot_digits(self) -> tuple[int, int]:
        decimals = max(0, -int(self.lot.normalize().as_tuple().exponent))
        return int(self.lot.scaleb(decimals)), decimals

    @cached_property
    def _base_per_lot(self) -> tuple[int, int]:
        return (self.lot * self.contract_size * self.units).as_integer_ratio()

    @cached_property
    def _ticks_per_usd(self) -> float:
        return float(self.units * 10**self.price_decimals)

    def ticks(self, price: float) -> int:
        """Return the tick nearest to ``price``, USD per one ``asset``; at least 1."""
        return max(1, round(price * self._ticks_per_usd))

    def price(self, ticks: int) -> float:
        """Return USD per one ``asset``."""
        return ticks / self._ticks_per_usd

    def price_text(self, ticks: int) -> str:
        """Return the price as the wire spells it."""
        return fixed(ticks, self.price_decimals)

    def quantity_text(self, lots: int) -> str:
        """Return the quantity as the wire spells it."""
        digits, decimals = self._lot_digits
        return fixed(lots * digits, decimals)

    def base_quantity(self, lots: int) -> float:
        """Return units of ``asset``."""
        numerator, denominator = self._base_per_lot
        return lots * numerator / denominator

    def micro_usd(self, ticks: int, lots: int) -> int:
        """Return the exact notional in micro-USD."""
        return ticks * lots * self.micro_usd_per_tick_lot


@dataclass(frozen=True)
class Asset:
    """One asset's market.

    Attributes:
        name: canonical base asset.
        price: USD at the start.
        beta: move per move of BTC.
        volatility: own noise, log price per square root of a second.
        open_interest_usd: leveraged positions of one side, all venues.
        trades_per_s: background trades in calm, all venues.
        listings: listings by venue.
    """

    name: str
    price: float
    beta: float
    volatility: float
    open_interest_usd: float
    trades_per_s: float
    listings: Mapping[str, Listing]

    @cached_property
    def lot_usd(self) -> float:
        """Return USD of one lot at the starting price."""
        listing = next(iter(self.listings.values()))
        return listing.base_quantity(1) * self.price


def _listings(
    asset: str, decimals: int, lot: str, contract: str, okx_lot: str, units: int = 1, okx_decimals: int | None = None
) -> dict[str, Listing]:
    """Return one asset's listings by venue; ``contract`` and ``okx_lot`` are OKX's contract value and lot."""
    base = asset if units == 1 else f"{units}{asset}"
    coin = {
        venue: Listing(
            venue=venue,
            symbol=f"{base}USDT",
            asset=asset,
            base=base,
            units=units,
            price_decimals=decimals,
            lot=Decimal(lot),
        )
        for venue in (BINANCE_USDM, BYBIT)
    }
    okx_ticks = decimals if okx_decimals is None else okx_decimals
    okx = Listing(
        venue=OKX,
        symbol=f"{asset}-USDT-SWAP",
        asset=asset,
        base=asset,
        units=1,
        price_decimals=okx_ticks,
        lot=Decimal(okx_lot),
        contract_size=Decimal(contract),
    )
    return coin | {OKX: okx}


# Open interest is a mid-size market's, scaled so that a cascade closes some 100 M USD in half a minute; volatility of
# BTC is 2.4 % a day (0.8 bp per root second), the others' own noise as their daily volatility beyond beta times BTC's.
ASSETS: Final = (
    Asset(
        name="BTC",
        price=65_000.0,
        beta=1.0,
        volatility=0.8e-4,
        open_interest_usd=500e6,
        trades_per_s=24.0,
        listings=_listings("BTC", 1, "0.001", "0.01", "0.1"),
    ),
    Asset(
        name="ETH",
        price=1_900.0,
        beta=1.15,
        volatility=0.6e-4,
        open_interest_usd=300e6,
        trades_per_s=18.0,
        listings=_listings("ETH", 2, "0.01", "0.1", "0.1"),
    ),
    Asset(
        name="SOL",
        price=80.0,
        beta=1.25,
        volatility=0.8e-4,
        open_interest_usd=120e6,
        trades_per_s=10.0,
        listings=_listings("SOL", 2, "0.1", "1", "0.1"),
    ),
    Asset(
        name="XRP",
        price=1.4,
        beta=1.1,
        volatility=0.8e-4,
        open_interest_usd=75e6,
        trades_per_s=8.0,
        listings=_listings("XRP", 4, "1", "100", "0.01"),
    ),
    Asset(
        name="DOGE",
        price=0.1,
        beta=1.25,
        volatility=0.9e-4,
        open_interest_usd=50e6,
        trades_per_s=6.0,
        listings=_listings("DOGE", 5, "10", "1000", "0.01"),
    ),
    Asset(
        name="PEPE",
        price=9.5e-6,
        beta=1.35,
        volatility=1.2e-4,
        open_interest_usd=25e6,
        trades_per_s=4.0,
        listings=_listings("PEPE", 7, "1000", "10000000", "0.1", 1000, 9),
    ),
)
"""All simulated assets; the others follow BTC, the first."""
