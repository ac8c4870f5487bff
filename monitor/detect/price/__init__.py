"""The price: its moves against the liquidated side and what moves are normal."""
