"""A streaming liquidation-cascade monitor for crypto derivatives exchanges."""

__version__ = "0.1.0"
