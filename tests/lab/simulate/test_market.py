from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from monitor.lab.simulate.asset_market import AssetMarket
from monitor.lab.simulate.listings import ASSETS
from monitor.lab.simulate.market import STEP_US, Market
from monitor.lab.simulate.scenario import CALM, DEMO, SHORT, Scenario
from monitor.lab.simulate.tape import ForcedOrder, Step
from monitor.model.events import MICROS

T0 = 1_790_000_000 * MICROS


def play(scenario: Scenario, seed: int = 1, feedback: bool = True) -> tuple[Market, list[Step]]:
    """A whole storyline without any clock."""
    market = Market(scenario, seed, T0, feedback=feedback)
    market.begin(T0)
    steps = []
    while not market.progress.done:
        steps.append(market.step())
    return market, steps


@pytest.fixture(scope="module")
def demo() -> tuple[Market, list[Step]]:
    """The demo's storyline, played once."""
    return play(DEMO)


def forced(steps: list[Step]) -> list[ForcedOrder]:
    """Return all forced orders of some steps."""
    return [order for step in steps for order in step.forced]


def usd(orders: list[ForcedOrder], side: str) -> float:
    """Return the liquidated notional of one side, USD."""
    return sum(order.filled_micro_usd for order in orders if order.side == side) / MICROS


def test_a_seed_is_a_market() -> None:
    """The same seed gives the same steps, order by order; another one does not."""
    assert play(SHORT, 5)[1] == play(SHORT, 5)[1]
    assert play(SHORT, 5)[1] != play(SHORT, 6)[1]


def test_every_liquidated_position_is_executed_or_waits(demo: tuple[Market, list[Step]]) -> None:
    """Liquidated lots of the books are the lots of all forced orders and of the queue, by asset and side."""
    market, steps = demo
    for name, one in market.assets.items():
        for side, book in one.books.items():
            executed = sum(o.lots for o in forced(steps) if o.listing.asset == name and o.side == side)
            waiting = sum(position.lots for position in one.queue.waiting if position.side == side)
            assert book.liquidated == executed + waiting
            assert book.opened == book.open + book.closed + book.liquidated
    assert len({(o.listing.asset, o.order_id) for o in forced(steps)}) == len(forced(steps))


def test_everything_happens_inside_its_step_and_by_time(demo: tuple[Market, list[Step]]) -> None:
    """Steps follow each other without a hole, and their prints and orders lie inside, sorted."""
    _, steps = demo
    assert steps[0].start_us == T0
    for before, after in pairwise(steps):
        assert after.start_us == before.end_us
    for step in steps:
        prints, orders = [one.time_us for one in step.prints], [one.time_us for one in step.forced]
        assert prints == sorted(prints)
        assert orders == sorted(orders)
        assert all(step.start_us <= at < step.end_us for at in prints + orders)


def test_the_demo_has_its_two_cascades(demo: tuple[Market, list[Step]]) -> None:
    """BTC falls 4 to 8 %, the rest further, forced selling is 50 to 500 times calm's; then shorts are liquidated."""
    market, steps = demo
    phases: dict[str, list[Step]] = {}
    for number, step in enumerate(steps):
        phases.setdefault(market.scenario.phase_at(number / 10).name, []).append(step)
    seconds = {phase.name: phase.seconds for phase in DEMO.phases}
    calm, cascade, squeeze = (forced(phases[name]) for name in ("calm", "long cascade", "short squeeze"))
    calm_rate = (usd(calm, "long") + usd(calm, "short")) / seconds["calm"]
    assert 50 < usd(cascade, "long") / seconds["long cascade"] / calm_rate < 500
    assert usd(cascade, "long") > 50 * usd(cascade, "short")
    assert usd(squeeze, "short") / seconds["short squeeze"] / calm_rate > 10
    first, last = phases["long cascade"][0].quotes, phases["long cascade"][-1].quotes
    falls = {name: 1 - last[name].mark_price / first[name].mark_price for name in first}
    assert 0.04 < falls["BTC"] < 0.08
    assert all(fall > falls["BTC"] for name, fall in falls.items() if name != "BTC")
    relief, squeezed = phases["relief"][-1].quotes["BTC"], phases["short squeeze"][-1].quotes["BTC"]
    assert 0.005 < relief.mark_price / last["BTC"].mark_price - 1 < 0.03  # it comes back by a part of the fall
    assert squeezed.mark_price > 1.02 * relief.mark_price
    assert last["BTC"].mark_price < last["BTC"].index_price


def test_btc_leads(demo: tuple[Market, list[Step]]) -> None:
    """Three seconds into the cascade BTC has lost more than any other asset."""
    _, steps = demo
    begin = DEMO.phases[0].seconds
    at, later = (steps[round(second * 10)].quotes for second in (begin, begin + 3))
    losses = {name: 1 - later[name].mark_price / at[name].mark_price for name in at}
    assert max(losses, key=losses.__getitem__) == "BTC"


def test_the_cascade_comes_from_the_feedback() -> None:
    """With feedback the same world falls further and more is liquidated; without it nothing is endogenous."""
    on, steps_on = play(DEMO, 2)
    off, steps_off = play(DEMO, 2, feedback=False)
    bottom = 43 * 10
    drawdown = 1 - steps_on[bottom].quotes["BTC"].mark_price / steps_off[bottom].quotes["BTC"].mark_price
    assert drawdown > 0.005
    assert on.endogenous("BTC") < 0
    assert on.endogenous("ETH") < 0
    assert all(off.endogenous(name) == 0 for name in off.assets)
    assert usd(forced(steps_on), "long") > 1.3 * usd(forced(steps_off), "long")


def test_calm_stays_calm() -> None:
    """A minute of calm moves BTC by less than 0.5 % and liquidates a small steady flow on both sides and all venues."""
    market, steps = play(CALM, 3)
    marks = [step.quotes["BTC"].mark_price for step in steps]
    assert max(marks) / min(marks) < 1.005
    orders = forced(steps)
    assert 60 < len(orders) < 600
    assert usd(orders, "long") + usd(orders, "short") < 6e6
    assert {order.side for order in orders} == {"long", "short"}
    assert {order.listing.venue for order in orders} == set(market.assets["BTC"].asset.listings)


def test_open_interest_falls_with_the_cascade(demo: tuple[Market, list[Step]]) -> None:
    """The leveraged book has lost contracts by the end of the cascade."""
    _, steps = demo
    lots = [sum(step.quotes["BTC"].venue_lots.values()) for step in (steps[169], steps[429])]
    assert lots[1] < 0.97 * lots[0]


def test_the_scenario_begins_at_the_given_time() -> None:
    """The market is calm before the scenario begins; it may stand still until then, but time never goes back."""
    market = Market(SHORT, 1, T0 + 12_345)
    assert market.now_us == T0
    market.step(MICROS)
    assert (market.elapsed_s, market.phase.name) == (0.0, "calm")
    market.begin(T0 + 5 * MICROS + 1)
    step = market.step()
    assert (step.start_us, step.end_us) == (T0 + 5 * MICROS, T0 + 5 * MICROS + STEP_US)
    with pytest.raises(ValueError, match="the scenario cannot begin at"):
        market.begin(T0)


def test_funding_is_settled_every_eight_hours() -> None:
    """The next funding lies ahead, at a whole multiple of eight hours."""
    quote = Market(CALM, 1, T0).quotes()["BTC"]
    assert T0 < quote.next_funding_us <= T0 + 8 * 3_600 * MICROS
    assert quote.next_funding_us % (8 * 3_600 * MICROS) == 0
    assert quote.funding_rate == pytest.approx(0.0001)


def test_an_asset_market_starts_swept() -> None:
    """No position of the first book is within reach of calm's noise, and open interest is close to its target."""
    market = AssetMarket(ASSETS[0], np.random.default_rng(1))
    market.move(market.log_price - 0.003)
    market.move(market.log_price + 0.006)
    assert market.queue.waiting == []
    assert market.open_lots == pytest.approx(market.target_lots, rel=0.02)
