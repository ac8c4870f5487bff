"""A fault that tests put into assets: one mark cannot be applied, and one price cannot be closed on."""

from __future__ import annotations

import pytest

from monitor.detect.asset import Asset
from monitor.detect.decide.visibility import Feeds
from monitor.model.events import MarkPrice
from monitor.model.signals import Signal

UNAPPLIED = 13.0
"""A mark at this price raises once the asset took it, so that its state is half changed."""
UNCLOSED = 17.0
"""A second of an asset raises while this is its price."""


def poisoned(patch: pytest.MonkeyPatch) -> None:
    """Put the fault into every asset."""
    take, close = Asset.mark_price, Asset.close

    def mark_price(self: Asset, event: MarkPrice) -> None:
        take(self, event)
        if event.mark_price == UNAPPLIED:
            raise ArithmeticError("a poisonous mark")

    def close_second(self: Asset, second: int, feeds: Feeds) -> list[Signal]:
        signals = close(self, second, feeds)
        if self.scope.price.last == UNCLOSED:
            raise ZeroDivisionError("a poisonous second")
        return signals

    patch.setattr(Asset, "mark_price", mark_price)
    patch.setattr(Asset, "close", close_second)
