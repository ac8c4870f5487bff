"""Facts about Kraken Futures for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "kraken": Facts(
        name="Kraken Futures",
        long_liquidated="`type` is `liquidation` and `side` is `sell` (the taker, who is liquidated)",
        price="fill",
        unit="USD for `PI_`, coins for `PF_`",
        limits="REST and these sockets end on 2027-03-01",
        source="docs.kraken.com/exchange/api-reference",
        checked="2026-11-22",
        examples=(coin("PF_XBTUSD"),),
    ),
}
