"""Collects market data from the exchanges' sockets and REST endpoints and publishes it as events on the bus."""
