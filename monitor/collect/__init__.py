"""From the exchanges' sockets and REST endpoints to events on the bus."""
