"""Facts of one scope when a second closes: the input of its score, its gates and its signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitor.detect.flow.corrected_totals import Corrected
from monitor.detect.flow.flow import Flow
from monitor.detect.price.price import Price
from monitor.detect.score import BLIND
from monitor.detect.settings import DetectorSettings, FloorSettings, PhaseSettings, WindowName


class Traits(NamedTuple):
    """Traits in which an asset and the market differ, as data that never changes.

    Attributes:
        name: the asset, or ``MARKET``.
        settings: thresholds.
        scale: factor on the absolute floors.
        steadiness: factor on the steepness of the flow's prior, see :class:`monitor.detect.flow.flow.Flow`.
        move_windows: windows of the price's move that give points.
        rush_sigmas: by window the standard deviations from which on a move of the price is a rush.
        breadth_feature: name of the evidence that counts stressed sources.
    """

    name: str
    settings: DetectorSettings
    scale: float
    steadiness: float
    move_windows: Sequence[WindowName]
    rush_sigmas: Mapping[WindowName, float]
    breadth_feature: str


class Facts(NamedTuple):
    """Everything about a scope that a decision looks at, the same for both sides.

    Attributes:
        traits: what the scope is.
        second: the second that closes.
        flow: the scope's liquidations, with this second's in them.
        price: the scope's price, with this second's marks in it.
        corrected: what throttled feeds hide.
        seen_share: share (0 to 1) of the forced flow that can be seen.
    """

    traits: Traits
    second: int
    flow: Flow
    price: Price
    corrected: Corrected
    seen_share: float

    @property
    def floors(self) -> FloorSettings:
        """Return the absolute floors, not scaled."""
        return self.traits.settings.floors

    @property
    def limits(self) -> PhaseSettings:
        """Return the thresholds of the phases."""
        return self.traits.settings.phases

    @property
    def is_price_only(self) -> bool:
        """Return True if no liquidations can be seen, so that the price decides alone."""
        return self.seen_share < BLIND
