"""Plays the demo: a simulated market on simulated exchanges, with the real collector and the real detector."""

from monitor.lab.demo.play import run

__all__ = ["run"]
