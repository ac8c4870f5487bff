"""Baselines: daily and weekly seasonality, and the surprise of a value."""
