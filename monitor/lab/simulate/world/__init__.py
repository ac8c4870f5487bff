"""Months of a simulated market with exact truth, on which the detector is measured.

:class:`monitor.lab.simulate.world.world.World` is the entry; ``docs/simulator.md`` describes the model and its sources.
"""
