"""The adapter of Reya."""
