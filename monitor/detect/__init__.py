"""From events to signals: pure and synchronous, without I/O and without a clock."""
