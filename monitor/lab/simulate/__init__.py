"""Simulator: a small market with leveraged positions, and local exchanges that publish it in their own formats."""
