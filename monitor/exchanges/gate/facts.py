"""Facts about Gate for ``docs/exchanges.md``."""

from __future__ import annotations

from typing import Final

from monitor.exchanges.facts import Facts, lot

FACTS: Final = {
    "gate": Facts(
        name="Gate, USDT, USD1 and BTC settled",
        long_liquidated=(
            "`size` is below 0 (the closing order; not documented, but prices fall with it); by REST "
            "above 0 (the position)"
        ),
        price="order price; by REST the average fill",
        unit="contracts",
        limits="the clock of a request may be off by 60 s",
        source="gate.com/docs/developers/futures; github.com/gateio/WebSocket-API/issues/132",
        checked="2026-12-01",
        examples=(lot("BTC_USDT", 0.0001, product="usdt"),),
    ),
}
