"""Decides when trades are published as bars, because the bus is full, and when singly again."""

from __future__ import annotations

import logging
from typing import Literal

from monitor.model.events import MICROS

log = logging.getLogger(__name__)

TradeMode = Literal["each", "bars"]


class OverloadSwitch:
    """Folds trades into bars always (``bars``), or only while the bus is too full for single trades (``each``).

    Attributes:
        folding: true while trades are folded.
        to_bars, to_each: number of switches because of overload, and because it was over.
    """

    __slots__ = ("_calm_us", "_configured", "_pressed_us", "_venue", "folding", "to_bars", "to_each")

    def __init__(self, configured: TradeMode, calm_s: float, venue: str) -> None:
        self._configured = configured
        self._calm_us = round(calm_s * MICROS)
        self._venue = venue
        self._pressed_us = 0
        self.folding = configured == "bars"
        self.to_bars = 0
        self.to_each = 0

    def pressed(self, now_us: int) -> None:
        """Fold from now on, because the bus was full at ``now_us``."""
        self._pressed_us = now_us
        if not self.folding:
            self.folding = True
            self.to_bars += 1
            log.warning("%s: the bus is full; trades are published as 100 ms bars until it has room", self._venue)

    def relax(self, now_us: int) -> bool:
        """Publish single trades again once the bus had room for long enough; return true if that happened now.

        The caller must then flush the open bars.
        """
        if self._configured == "bars" or not self.folding or now_us - self._pressed_us < self._calm_us:
            return False
        self.folding = False
        self.to_each += 1
        log.info("%s: the bus has room again; single trades are published", self._venue)
        return True
