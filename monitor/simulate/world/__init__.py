"""Months of a market with exact truth: what the detector is measured on.

:class:`monitor.simulate.world.world.World` is the whole of it; ``docs/simulator.md`` describes the model.
"""
