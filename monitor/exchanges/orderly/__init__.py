"""The adapter of Orderly."""
