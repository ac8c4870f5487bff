from __future__ import annotations

import numpy as np
import pytest

from monitor.lab.simulate.world.feedback import FeedbackResult, LoneLiquidation
from monitor.lab.simulate.world.feeds import select_shown
from monitor.lab.simulate.world.orders import Orders, mean_usd, orders
from monitor.lab.simulate.world.settings import NAMED, VENUES, WorldSettings
from monitor.model.events import MICROS

SECONDS = 7_200
BTC = NAMED[0]


def flat(hawkes: float, lone: list[LoneLiquidation] | None = None) -> Orders:
    """Orders of two hours in which one order's worth of longs is liquidated each second."""
    amount = np.full(SECONDS, mean_usd(BTC) / BTC.open_interest_usd)
    course = FeedbackResult(np.zeros(SECONDS), np.arange(SECONDS), (amount, np.zeros(SECONDS)), np.ones(SECONDS // 300))
    settings = WorldSettings(seed=1, days=SECONDS / 86_400, hawkes=hawkes)
    return orders(settings, 0, BTC, VENUES, course, np.zeros(SECONDS, np.float32), lone or [])


def dispersion(tape: Orders) -> float:
    counts = np.bincount(tape.time_us // (30 * MICROS), minlength=SECONDS // 30)
    return float(counts.var() / counts.mean())


@pytest.mark.parametrize(("hawkes", "low", "high"), [(0.0, 0.7, 1.4), (0.5, 2.0, 5.0), (0.8, 6.0, 30.0)])
def test_offspring_crowd_and_add_nothing(hawkes: float, low: float, high: float) -> None:
    """Variance over mean of 30 s counts is that of Poisson without, towards 1/(1-n)^2 with; their number stays."""
    tape = flat(hawkes)
    assert low < dispersion(tape) < high
    assert len(tape.time_us) == pytest.approx(SECONDS, rel=0.15)
    assert (np.diff(tape.time_us) >= 0).all()


def test_a_lone_order_is_one_order() -> None:
    """It is not split, whatever its size, and has its second."""
    tape = flat(0.0, [LoneLiquidation(100, "short", 0.005)])
    (at,) = np.flatnonzero(tape.side == 1).tolist()
    assert tape.micro_usd[at] == 25_000_000 * MICROS
    assert tape.time_us[at] // MICROS == 100


def test_feeds_show_orders_by_their_kind() -> None:
    """Feeds show everything, or the largest or the latest of each second, never before the push after it."""
    tape = flat(0.8)
    mine = np.flatnonzero(tape.venue == 0)
    seconds = tape.time_us[mine] // MICROS
    complete, batch = select_shown(tape, 0, "complete"), select_shown(tape, 0, "batch")
    assert complete.chosen.tolist() == batch.chosen.tolist() == mine.tolist()
    assert (batch.sent_us % (6 * MICROS) == 0).all()
    for feed, pick in (("largest", np.argmax), ("latest", lambda sizes: len(sizes) - 1)):
        seen = select_shown(tape, 0, feed)  # type: ignore[arg-type]
        expected = [
            mine[seconds == second][pick(tape.micro_usd[mine[seconds == second]])] for second in np.unique(seconds)
        ]
        assert seen.chosen.tolist() == expected
        assert (seen.sent_us - tape.time_us[seen.chosen] <= MICROS).all()
