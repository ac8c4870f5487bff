"""Wiring of roles: who reads from whom, and who closes what."""
