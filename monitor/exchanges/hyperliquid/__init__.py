"""Adapter of Hyperliquid perpetuals."""
