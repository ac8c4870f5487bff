"""Defines the one error of a REST request that is given up."""

from __future__ import annotations


class RestError(OSError):
    """Reports one failed request.

    Attributes:
        pause_s: length of the rate-limit pause that the exchange requires, seconds; 0 for none.
        final: true if the same request would only fail again.
    """

    def __init__(self, detail: str, pause_s: float = 0.0, *, final: bool = False) -> None:
        super().__init__(detail)
        self.pause_s = pause_s
        self.final = final
