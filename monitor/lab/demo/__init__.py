"""Demo: a simulated market on simulated exchanges, read by the real collector and judged by the real detector."""

from monitor.lab.demo.play import run

__all__ = ["run"]
