"""The adapter of Hyperliquid."""
