"""Facts about OKX for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, lot, usd

FACTS: Final = {
    "okx": Facts(
        name="OKX swaps and futures",
        long_liquidated="`side` is `sell` (the closing order; `posSide` may be `net`, which does not name the side)",
        price="bankruptcy price `bkPx`",
        unit="contracts",
        limits="64 kB of channels a socket, 480 requests an hour and socket, 3 dials/s",
        source="okx.com/docs-v5",
        checked="2026-12-01",
        examples=(
            lot("BTC-USDT-SWAP", 0.01, product="SWAP"),
            usd("BTC-USD-SWAP", 100.0, product="SWAP"),
        ),
    ),
}
