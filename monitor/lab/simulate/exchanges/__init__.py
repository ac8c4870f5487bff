"""Local exchanges: one module per exchange's format (pure frame builders), one websocket and REST server."""
