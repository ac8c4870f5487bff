"""Adapters of Deribit and Coinbase International, which share one message format."""
