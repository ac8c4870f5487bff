"""Trials: runs a detector or a baseline on a market and matches its alerts with the market's events."""
