"""Defines the one error of a REST request that is given up."""

from __future__ import annotations


class RestError(OSError):
    """One request failed.

    Attributes:
        pause_s: how long the exchange asks to be left alone.
        final: whether the same request would only fail again.
    """

    def __init__(self, detail: str, pause_s: float = 0.0, *, final: bool = False) -> None:
        super().__init__(detail)
        self.pause_s = pause_s
        self.final = final
