"""Facts about Bitfinex derivatives for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, coin

FACTS: Final = {
    "bitfinex": Facts(
        name="Bitfinex derivatives",
        long_liquidated="amount is above 0 (the position), in rows of executions (`is_match` 1)",
        price="fill, row field 11; the last trade or mark price where that is empty",
        unit="coins",
        limits="one subscription shows all symbols",
        source="docs.bitfinex.com, status; github.com/tardis-dev/tardis-node 18.2.0",
        checked="2026-12-01",
        examples=(coin("tBTCF0:USTF0"),),
    ),
}
