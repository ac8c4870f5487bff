"""Wires the parts into the processes that ``cascade-monitor run`` starts, and ends them in the order of the data."""
