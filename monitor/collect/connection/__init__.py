"""Runs one socket at a time per connection plan: dial, subscribe, read, keep alive, detect staleness, reconnect."""
