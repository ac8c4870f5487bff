"""Context of liquidations: open interest, funding, levels, holders, implied volatility."""
