"""What surrounds liquidations: open interest, funding, levels, holders, implied volatility."""
