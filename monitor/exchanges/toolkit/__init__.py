"""What the exchanges' adapters share: rows, records, listings, subscriptions, REST envelopes."""
