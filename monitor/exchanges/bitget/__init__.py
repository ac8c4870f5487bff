"""Adapter of Bitget futures."""
