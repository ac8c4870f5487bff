"""Readings of one asset that are exported and never decide."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from monitor.cascade.endogeneity import KERNEL_MEMORY_S, STEP_S, CountRatio, KernelRatio
from monitor.cascade.impact import Impact

MOST_EMPTY: Final = round(6 * KERNEL_MEMORY_S / STEP_S)
"""Empty steps after which nothing of what was counted is left."""


class Reading(NamedTuple):
    """The diagnostics at present; None where too little is known."""

    count_ratio: float | None
    kernel_ratio: float | None
    impact_bp_per_musd: float


class Diagnostics:
    """Branching ratios and the impact of forced flow, from steps of ten seconds."""

    __slots__ = ("_impact", "_kernel", "_price", "_ratio", "_step")

    def __init__(self) -> None:
        self._ratio = CountRatio()
        self._kernel = KernelRatio()
        self._impact = Impact()
        self._step = 0
        self._price: float | None = None  # at the last step's end

    def close(self, second: int, orders: int, signed_usd: float, price: float | None) -> None:
        """Take the ten seconds that end with ``second``; steps that were left out were empty.

        Args:
            second: a second that ends a step.
            orders: forced orders within it.
            signed_usd: USD of shorts minus that of longs that died, so that buying counts up.
            price: the last one.
        """
        step = second // STEP_S
        for _ in range(min(MOST_EMPTY, step - self._step - 1) if self._step else 0):
            self._ratio.step(0)
            self._kernel.step(0)
        self._ratio.step(orders)
        self._kernel.step(orders)
        if price is not None and self._price is not None and step == self._step + 1:
            self._impact.step(math.log(price / self._price), signed_usd)
        self._step, self._price = step, price

    def reading(self) -> Reading:
        """What they say."""
        return Reading(self._ratio.value, self._kernel.value, self._impact.slope)

    def state(self) -> list[Any]:
        """What a snapshot keeps."""
        return [self._ratio.state(), self._kernel.state(), self._impact.state(), self._step, self._price]

    def load(self, state: list[Any]) -> None:
        """Become what :meth:`state` described."""
        ratio, kernel, impact, self._step, self._price = state
        self._ratio.load(ratio)
        self._kernel.load(kernel)
        self._impact.load(impact)
