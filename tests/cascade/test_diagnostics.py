"""Readings that never decide."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from monitor.cascade.diagnostics import Diagnostics
from monitor.cascade.lead import Lead
from tests.cascade.scenarios import BRISK, START, crash, play


def test_a_burst_from_outside_looks_critical() -> None:
    """Independent orders have no branching; with a regime of forty times the rate both estimators say nine tenths."""
    generator = np.random.default_rng(1)
    diagnostics = Diagnostics()
    for step in range(360):
        diagnostics.close(START + 10 * step + 9, int(generator.poisson(10)), 0.0, 100.0)
    calm = diagnostics.reading()
    for step in range(360, 390):
        diagnostics.close(START + 10 * step + 9, int(generator.poisson(400)), 0.0, 100.0)
    burst = diagnostics.reading()
    assert calm.count_ratio is not None
    assert burst.count_ratio is not None
    assert burst.kernel_ratio is not None
    assert calm.count_ratio < 0.4
    assert min(burst.count_ratio, burst.kernel_ratio) > 0.8


def test_too_few_orders_say_nothing_and_empty_steps_count() -> None:
    """Nothing in calm; and what was left out while the asset slept was empty."""
    diagnostics = Diagnostics()
    assert diagnostics.reading() == (None, None, 0.0)
    for step in range(20):
        diagnostics.close(START + 10 * step + 9, 30, 3e6, 100.0 * 1.0006**step)
    assert diagnostics.reading().count_ratio is not None
    assert 1.9 < diagnostics.reading().impact_bp_per_musd < 2.1
    other = Diagnostics()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(diagnostics.state())))
    other.close(START + 40_009, 0, 0.0, 100.0)
    assert other.reading()[:2] == (None, None)


def test_they_do_not_decide() -> None:
    """A detector whose diagnostics are gone sends the same signals."""
    expected = play(crash(), BRISK)[1]
    assert not [found for signal in expected for found in signal.evidence if "ratio" in found.feature and
                found.feature.startswith(("count", "kernel", "impact"))]  # fmt: skip


def test_no_lead_where_nothing_moves() -> None:
    """Still prices have no lag; others that lead have a negative one; state goes through MessagePack."""
    lead, generator = Lead(), np.random.default_rng(2)
    assert lead.found() == (0, 0.0)
    path = (100.0 + generator.normal(0, 1e-2, 700).cumsum()).tolist()
    for second in range(4, 600):
        lead.price(second, "BTC", path[second - 4], leads=True)
        lead.price(second, "ETH", path[second] / 20, leads=False)
        lead.price(second, "SOL", path[second] / 700, leads=False)
    assert lead.found().lag_s == -4
    assert lead.found().correlation == pytest.approx(1.0, abs=0.05)
    other = Lead()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(lead.state())))
    for each in (lead, other):
        each.price(600, "BTC", path[596], leads=True)
    assert other.found() == lead.found()


def test_seconds_without_a_price_are_seconds_all_the_same() -> None:
    """Prices that move only every seventh second, the others five later: the lag is five, whatever was left out."""
    lead, generator = Lead(), np.random.default_rng(3)
    btc = 100.0
    for second in range(7, 2_100, 7):
        btc *= 1 + generator.normal(0, 1e-4)
        lead.price(second, "BTC", btc, leads=True)
        lead.price(second + 5, "SOL", btc, leads=False)
    assert lead.found().lag_s == 5
    lead.price(1_000_000, "BTC", 2 * btc, leads=True)  # days later nothing of it is left
    lead.price(1_000_001, "SOL", btc, leads=False)
    assert lead.found() == (0, 0.0)
