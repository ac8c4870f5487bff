"""Adapter of Kraken Futures."""
