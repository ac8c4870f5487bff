"""Facts about HTX for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, lot, usd

FACTS: Final = {
    "htx": Facts(
        name="HTX linear and coin-margined",
        long_liquidated="`direction` is `sell` with `offset` `close` or `both` (the closing order)",
        price="bankruptcy price",
        unit="contracts, of both sides in trades and open interest (halved here); liquidations have coins too",
        limits="compressed frames; liquidations, trades and marks on sockets of their own",
        source="the exchange's documents",
        checked="2026-12-01",
        examples=(
            lot("BTC-USDT", 0.001, product="linear-swap"),
            usd("BTC-USD", 100.0, product="swap"),
        ),
    ),
}
