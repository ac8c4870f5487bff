"""The adapter of Bitget."""
