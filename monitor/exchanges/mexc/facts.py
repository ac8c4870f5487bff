"""Facts about MEXC for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, lot

FACTS: Final = {
    "mexc": Facts(
        name="MEXC",
        unit="contracts",
        limits="a request a channel and symbol, confirmed without its symbol",
        source="mexcdevelop.github.io; ccxt 4.5.90",
        checked="2026-12-01",
        examples=(lot("BTC_USDT", 0.0001),),
    ),
}
