"""Adapter of OKX swaps and futures."""
