"""Types that all packages share: events, signals, schemas, symbols and validation; it imports no other package."""
