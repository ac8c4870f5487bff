"""Local exchanges: one module per dialect (pure frame builders) and one thin websocket and REST server."""
