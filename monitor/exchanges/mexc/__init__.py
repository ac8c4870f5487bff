"""The adapter of MEXC."""
