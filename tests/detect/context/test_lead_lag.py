"""Whether one asset moves before the others."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detect.context.lead_lag import LeadLag
from tests.detect.stored import stored


def test_no_lead_where_nothing_moves() -> None:
    """Still prices have no lag; others that lead have a negative one; state goes through MessagePack."""
    lead, generator = LeadLag(), np.random.default_rng(2)
    assert lead.found() == (0, 0.0)
    path = (100.0 + generator.normal(0, 1e-2, 700).cumsum()).tolist()
    for second in range(4, 600):
        lead.price(second, "BTC", path[second - 4], leads=True)
        lead.price(second, "ETH", path[second] / 20, leads=False)
        lead.price(second, "SOL", path[second] / 700, leads=False)
    assert lead.found().lag_s == -4
    assert lead.found().correlation == pytest.approx(1.0, abs=0.05)
    other = LeadLag()
    other.load(stored(lead.state()))
    for each in (lead, other):
        each.price(600, "BTC", path[596], leads=True)
    assert other.found() == lead.found()


def test_seconds_without_a_price_are_seconds_all_the_same() -> None:
    """Prices that move only every seventh second, the others five later: the lag is five, whatever was left out."""
    lead, generator = LeadLag(), np.random.default_rng(3)
    btc = 100.0
    for second in range(7, 2_100, 7):
        btc *= 1 + generator.normal(0, 1e-4)
        lead.price(second, "BTC", btc, leads=True)
        lead.price(second + 5, "SOL", btc, leads=False)
    assert lead.found().lag_s == 5
    lead.price(1_000_000, "BTC", 2 * btc, leads=True)  # days later nothing of it is left
    lead.price(1_000_001, "SOL", btc, leads=False)
    assert lead.found() == (0, 0.0)
