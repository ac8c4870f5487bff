"""The adapter of BingX."""
