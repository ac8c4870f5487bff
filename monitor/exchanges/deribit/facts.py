"""Facts about Deribit and Coinbase International for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin, usd

FACTS: Final = {
    "coinbase-intl": Facts(
        name="Coinbase International",
        unit="coins",
        limits="as Deribit, whose technology it runs on",
        source="ccxt 4.5.90; docs.deribit.com",
        checked="2026-11-22",
        examples=(coin("BTC_USDC-PERPETUAL"),),
    ),
    "deribit": Facts(
        name="Deribit",
        long_liquidated=(
            "flag `T` and `direction` `sell`, or flag `M` and `buy`; `MT` is both sides (`direction` is "
            "the taker's, the flag names who was liquidated)"
        ),
        price="fill",
        unit="USD where inverse, else coins",
        limits="3 subscriptions/s after a burst of 10; raw channels need a login",
        source="docs.deribit.com",
        checked="2026-11-22",
        examples=(usd("BTC-PERPETUAL", 10.0),),
    ),
}
