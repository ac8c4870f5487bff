"""Exchanges: what they send, read into events, and the sockets that it comes on."""
