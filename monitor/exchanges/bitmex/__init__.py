"""The adapter of BitMEX."""
