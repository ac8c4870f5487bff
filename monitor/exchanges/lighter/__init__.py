"""The adapter of Lighter."""
