"""The adapter of OKX."""
