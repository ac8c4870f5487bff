"""The words everybody shares: events, signals, their schemas, symbols, validation. It imports no other room."""
