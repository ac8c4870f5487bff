"""The adapter of Gate."""
