"""The adapter of Deribit, and Coinbase International, which use one dialect."""
