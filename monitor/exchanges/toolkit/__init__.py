"""Shared parts of the exchanges' adapters: decoding, record building, listings, subscriptions, REST envelopes."""
