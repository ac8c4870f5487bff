"""Adapter of Bybit perpetuals."""
