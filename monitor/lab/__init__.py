"""Simulation, evaluation, benchmarks and the demo. Nothing on duty imports it."""
