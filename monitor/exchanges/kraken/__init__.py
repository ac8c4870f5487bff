"""The adapter of Kraken Futures."""
