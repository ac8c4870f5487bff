"""Adapter of HTX perpetual swaps."""
