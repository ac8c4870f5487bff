"""The adapter of Bybit."""
