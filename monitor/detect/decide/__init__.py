"""From evidence to a signal: score, gates, phases with hysteresis."""
