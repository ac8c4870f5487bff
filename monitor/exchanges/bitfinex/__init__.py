"""The adapter of Bitfinex."""
