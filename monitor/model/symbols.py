"""Derives the asset, the unit and the quote currency of a symbol from its name.

Exchanges list cheap coins in multiples (``1000PEPEUSDT``, ``SHIB1000USDT``, ``1MBABYDOGEUSDT``). The multiple is called
``units``. Every price is divided by it and every quantity multiplied by it, so that records are in single coins.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

USD_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "USDE", "USD1", "USD")
"""Quote currencies that are taken as a US dollar. ``USD`` is last, or ``BTCFDUSD`` would be the asset BTCFD."""

OTHER_QUOTES: Final = ("BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL")
"""Other quote currencies that exchanges use; they are listed so that a reject can name the quote currency."""

ALIASES: Final = {"XBT": "BTC", "WBTC": "BTC", "CBBTC": "BTC"}
"""Canonical asset by its other names: a code of bitcoin in the style of ISO 4217, and tokens backed by bitcoin."""

_PREFIX: Final = re.compile(r"(10{3,10})((?!0).*\D.*)|(1M)([A-Z]{3,})")
_SUFFIX: Final = re.compile(r"(.*[^\d])(10{3,10})|([A-Z]{3,})(1M)")
_LETTERED: Final = re.compile(r"[a-z](10{3,10}[A-Z].*)")
"""A small letter before the multiple (``u1000PEPE`` of Phemex, which is settled in USDT) is no part of the name."""
_MONTH_CODE: Final = re.compile(r"(.+USD)[FGHJKMNQUVXZ]\d{2}")
_KRAKEN: Final = re.compile(r"(?:PI|PF|FI|FF)_([^\W_]+USD)(?:_(\d{6}))?")
_BITFINEX: Final = re.compile(r"T([^\W_]+)F0:([A-Z0-9]+)F0")
_KUCOIN: Final = re.compile(r"([^\W_]+?)(USDT|USDC|USD)M")
_HTX_DATED: Final = re.compile(r"([A-Z]+)\d{6}")
_HIP3: Final = re.compile(r"[a-z][a-z0-9]*:(k?[A-Z0-9]+)")
_KILO: Final = re.compile(r"k([A-Z][A-Z0-9]+)")
_EXPIRY: Final = re.compile(r"\d{6}|\d{1,2}[A-Z]{3}\d{2}")


class SymbolName(NamedTuple):
    """The parts of a symbol.

    Attributes:
        asset: canonical base asset.
        units: number of its coins in one unit of the symbol's base.
        quote: quote currency; empty if the name does not contain it.
        dated: True for a future with an expiry.
    """

    asset: str
    units: int
    quote: str
    dated: bool = False

    @property
    def is_usd(self) -> bool:
        """True if prices are in US dollars or in a stablecoin that is taken as one."""
        return self.quote in USD_QUOTES


def without_letter(name: str) -> str:
    """Return a name without the small letter that stands before its multiple."""
    lettered = _LETTERED.fullmatch(name)
    return lettered[1] if lettered else name


def split_base(base: str) -> tuple[str, int]:
    """Return the canonical asset of a base currency, and the number of its coins in one unit.

    ``1000PEPE`` and ``kPEPE`` give (``PEPE``, 1000); a ``k`` means 1,000 only in lower case and before capitals.
    """
    if kilo := _KILO.fullmatch(base):
        return ALIASES.get(kilo[1], kilo[1]), 1000
    base = without_letter(base).upper()
    if found := _PREFIX.fullmatch(base):
        bundle, name = found[1] or found[3], found[2] or found[4]
    elif found := _SUFFIX.fullmatch(base):
        name, bundle = found[1] or found[3], found[2] or found[4]
    else:
        return ALIASES.get(base, base), 1
    return ALIASES.get(name, name), 1_000_000 if bundle == "1M" else int(bundle)


def _by_pattern(symbol: str) -> SymbolName | None:
    """Split a symbol whose pattern belongs to one exchange only; None for all others."""
    if found := _HIP3.fullmatch(symbol):
        return SymbolName(*split_base(found[1]), "USD")
    upper = symbol.upper()
    if found := _BITFINEX.fullmatch(upper):
        return SymbolName(*split_base(found[1]), "USDT" if found[2] == "UST" else found[2])
    if found := _KRAKEN.fullmatch(upper):
        return SymbolName(*split_base(found[1].removesuffix("USD")), "USD", dated=bool(found[2]))
    if found := _KUCOIN.fullmatch(upper):
        return SymbolName(*split_base(found[1]), found[2])
    if found := _HTX_DATED.fullmatch(upper):
        return SymbolName(*split_base(found[1]), "USD", dated=True)
    return None


def split_symbol(symbol: str) -> SymbolName:
    """Split a symbol of any of the supported exchanges into its parts.

    ``BTCUSDT``, ``1000PEPEUSDT``, ``BTCUSDT_230929`` and ``BTCUSD_PERP`` (Binance), ``BTCPERP``, ``BTC-26SEP25``
    and ``BTCUSDT-26SEP25`` (Bybit; the first two are settled in USDC), ``BTCUSDZ25`` (Bybit and Bitget,
    coin-settled), ``BTC-USDT-SWAP``, ``BTC-USD_UM-SWAP`` and ``BTC-USD_UM_XPERP-310404`` (OKX; the last is a
    perpetual), ``BTC_USDT`` (Gate), ``BTC-PERPETUAL`` and ``BTC_USDC-PERPETUAL`` (Deribit), ``PI_XBTUSD`` and
    ``FI_XBTUSD_261225`` (Kraken), ``BTC-USDT`` and ``BTC261225`` (HTX), ``XBTUSDTM`` (KuCoin), ``tBTCF0:USTF0``
    (Bitfinex), ``BTC-USD`` (dYdX), ``xyz:TSLA`` (Hyperliquid's builder exchanges; priced in dollars), ``ETHBTC``
    (quoted in bitcoin).
    """
    if (name := _by_pattern(symbol)) is not None:
        return name
    first, *rest = without_letter(symbol).upper().split("-")
    head, _, tail = first.partition("_")
    dated = any(_EXPIRY.fullmatch(part) for part in (tail, *rest)) and not any("XPERP" in part for part in rest)
    if rest == ["PERPETUAL"]:
        return SymbolName(*split_base(head), tail or "USD")
    if rest and not _EXPIRY.fullmatch(rest[0]):
        return SymbolName(*split_base(head), rest[0].partition("_")[0], dated)
    if tail == "PERP" and head.endswith("USD"):
        return SymbolName(*split_base(head.removesuffix("USD")), "USD", dated)
    if tail in USD_QUOTES or tail in OTHER_QUOTES:
        return SymbolName(*split_base(head), tail, dated)
    if coded := _MONTH_CODE.fullmatch(head):
        head, dated = coded[1], True
    if not tail and head.endswith("PERP") and head != "PERP":
        return SymbolName(*split_base(head.removesuffix("PERP")), "USDC", dated)
    for quote in (*USD_QUOTES, *OTHER_QUOTES):
        if head.endswith(quote) and head != quote:
            return SymbolName(*split_base(head.removesuffix(quote)), quote, dated)
    return SymbolName(*split_base(head), "USDC" if dated else "", dated)
