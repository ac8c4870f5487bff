"""Holds simulation, evaluation, benchmarks and the demo; no module of the running monitor imports it."""
