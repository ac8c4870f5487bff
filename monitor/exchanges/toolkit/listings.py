"""Finds the asset and the contract size of a symbol, in the instrument table or from its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from monitor.exchanges.instrument import Instrument
from monitor.model.symbols import split_symbol
from monitor.model.validation import (
    asset_fault,
    symbol_name_fault,
)

TRADFI: Final = "traditional market: it trades in sessions, so its activity cannot be compared with that of crypto"
"""Reason for leaving out stocks, metals and currencies: every opening of a session would raise an alert."""


Listing = tuple[str, float, float, bool, str]
"""Data of a symbol that every row needs, as a plain tuple because that is the fastest to unpack.

Its items are the canonical asset; the number of its coins in one unit of the symbol's base; the contract size in base
units or USD (1.0 where sizes are base units); true if the contract size is in USD (an inverse contract); and the prefix
of the symbol's ids (``okx:BTC-USDT-SWAP:``).
"""


def listing_of(venue: str, instrument: Instrument) -> Listing:
    """Return the listing of an instrument of the instrument table."""
    inverse = instrument.contract_value_currency == "usd"
    prefix = f"{venue}:{instrument.symbol}:"
    return instrument.asset, float(instrument.units), instrument.contract_size, inverse, prefix


def listing_by_name(venue: str, symbol: str) -> Listing | None:
    """Derive a listing with sizes in base units from a symbol's name; None if the name does not contain the asset."""
    name = split_symbol(symbol)
    if not name.is_usd or not name.asset.isalnum():
        return None
    return name.asset, float(name.units), 1.0, False, f"{venue}:{symbol}:"


ListingReader = Callable[[str, str], Listing | None]
"""Derives a listing from a venue and a symbol's name; None if the name does not contain the asset or the unit."""


class Listings(dict[str, Listing | None]):
    """Listings by symbol; looking up an unknown symbol returns None and does not raise.

    Args:
        venue: the venue.
        instruments: its instrument table; None if there is none.
        by_name: True if, without an instrument table, listings are derived from the symbols' names.
        listing_reader: derives a listing from a symbol's name.

    Attributes:
        plain: asset and contract size by symbol, only of linear contracts on single coins. These are nearly all
            contracts and need no further conversion, so the adapters' hot paths look a symbol up here first.
        dated: symbols that are dated futures, by their instrument or their name.
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
        self._listing_reader = listing_reader
        self.plain: dict[str, tuple[str, float]] = {}
        self.dated: set[str] = set()
        for symbol, instrument in (instruments or {}).items():
            self._add(symbol, listing_of(venue, instrument))
            if instrument.dated:
                self.dated.add(symbol)

    def _add(self, symbol: str, listing: Listing) -> None:
        """Store a listing, unless the name of its symbol or asset is invalid."""
        asset, units, size, inverse, _ = listing
        if symbol_name_fault(symbol) or asset_fault(asset):
            return
        self[symbol] = listing
        if units == 1.0 and not inverse:
            self.plain[symbol] = asset, size
        if split_symbol(symbol).dated:
            self.dated.add(symbol)

    def derive_unlisted(self) -> None:
        """From now on derive listings of symbols that the instrument table lacks from their names as well."""
        self._by_name = True

    def __missing__(self, symbol: str) -> Listing | None:
        listing = self._listing_reader(self._venue, symbol) if self._by_name else None
        if listing is not None:
            self._add(symbol, listing)
        return self.get(symbol)
