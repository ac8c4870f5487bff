"""Measures the rates of the hot paths and of well-known libraries, compared as ratios within one run."""
