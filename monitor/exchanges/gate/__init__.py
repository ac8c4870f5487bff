"""Adapter of Gate perpetuals."""
