"""Finds the asset and the contract of a symbol, in the instrument table or by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from monitor.exchanges.instrument import Instrument
from monitor.model.symbols import split_symbol
from monitor.model.validation import (
    asset_fault,
    symbol_name_fault,
)

TRADFI: Final = "traditional market: it has sessions, so its calm and its storms are not comparable"
"""Why stocks, metals and currencies are left out: alarms would ring at every opening."""


Listing = tuple[str, float, float, bool, str]
"""What is needed of a symbol, as a plain tuple because that unpacks fastest.

Canonical asset; how many of it one unit of the symbol's base stands for; one contract in base units or USD (1.0 where
the venue counts base units); whether the latter is USD; how the symbol's ids begin (``okx:BTC-USDT-SWAP:``).
"""


def listing_of(venue: str, instrument: Instrument) -> Listing:
    """The listing of an instrument of the exchange's own table."""
    inverse = instrument.contract_value_currency == "usd"
    prefix = f"{venue}:{instrument.symbol}:"
    return instrument.asset, float(instrument.units), instrument.contract_size, inverse, prefix


def listing_by_name(venue: str, symbol: str) -> Listing | None:
    """The listing of a symbol that is counted in base units, read off its name; None where it cannot be."""
    name = split_symbol(symbol)
    if not name.is_usd or not name.asset.isalnum():
        return None
    return name.asset, float(name.units), 1.0, False, f"{venue}:{symbol}:"


ListingReader = Callable[[str, str], Listing | None]
"""Reads the listing of a venue's symbol off its name; None where that cannot be."""


class Listings(dict[str, Listing | None]):
    """Listings by symbol; what is not in it is None, or with ``by_name`` read off the symbol once.

    Attributes:
        plain: asset and contract size by symbol, of linear contracts of single coins alone. That is nearly all of
            them, and their trades need neither units nor cases: the hot loops look here first.
        dated: the symbols that are dated futures, by their instrument or their name.
    """

    def __init__(
        self,
        venue: str,
        instruments: Mapping[str, Instrument] | None,
        by_name: bool,
        listing_reader: ListingReader = listing_by_name,
    ) -> None:
        super().__init__()
        self._venue = venue
        self._by_name = by_name and instruments is None
        self._naming = listing_reader
        self.plain: dict[str, tuple[str, float]] = {}
        self.dated: set[str] = set()
        for symbol, instrument in (instruments or {}).items():
            self._add(symbol, listing_of(venue, instrument))
            if instrument.dated:
                self.dated.add(symbol)

    def _add(self, symbol: str, listing: Listing) -> None:
        """Keep a listing; one whose names are refused stays unknown."""
        asset, units, size, inverse, _ = listing
        if symbol_name_fault(symbol) or asset_fault(asset):
            return
        self[symbol] = listing
        if units == 1.0 and not inverse:
            self.plain[symbol] = asset, size
        if split_symbol(symbol).dated:
            self.dated.add(symbol)

    def __missing__(self, symbol: str) -> Listing | None:
        listing = self._naming(self._venue, symbol) if self._by_name else None
        if listing is not None:
            self._add(symbol, listing)
        return self.get(symbol)
