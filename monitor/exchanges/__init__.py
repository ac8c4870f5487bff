"""Adapters of the exchanges, one folder each: frame parsing, connection plans, REST requests; ``toolkit`` is shared."""
