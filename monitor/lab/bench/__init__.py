"""Benchmarks: rates of the hot paths beside well-known libraries, as ratios within one run."""
