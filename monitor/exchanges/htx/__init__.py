"""The adapter of HTX."""
