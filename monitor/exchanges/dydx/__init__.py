"""The adapter of dYdX."""
