"""The adapter of Bluefin."""
