"""The adapter of Phemex."""
