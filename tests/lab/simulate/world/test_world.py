from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from monitor.lab.simulate.world.settings import WorldSettings
from monitor.lab.simulate.world.truth import Episode, NearMiss
from monitor.lab.simulate.world.world import World
from monitor.model.events import MICROS, SIDES, AnyEvent, Gap, Liquidation, MarkPrice, OpenInterest, TradeBar
from monitor.model.validation import event_fault

SETTINGS = WorldSettings(seed=3, days=1, assets=2, throttle="none", outages=False)
EVENTFUL = WorldSettings(seed=15, days=4, assets=2)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SETTINGS)


@pytest.fixture(scope="module")
def events(world: World) -> list[AnyEvent]:
    return [event for chunk in world.events() for event in chunk]


@pytest.fixture(scope="module")
def eventful() -> World:
    """Days with cascades of both assets."""
    return World(EVENTFUL)


def test_every_event_could_be_true_and_comes_in_order(events: list[AnyEvent]) -> None:
    """No event that a recording would reject, none before the one that arrived before it, none twice."""
    assert not [event for event in events if event_fault(event)]
    assert all(one.receive_time_us <= other.receive_time_us for one, other in pairwise(events))
    ids = [event.id for event in events if isinstance(event, Liquidation)]
    assert len(set(ids)) == len(ids)
    assert {MarkPrice, OpenInterest, TradeBar, Liquidation} < {type(event) for event in events}


def test_complete_feeds_add_up_to_the_true_minutes(world: World, events: list[AnyEvent]) -> None:
    """Where every venue shows everything, the records of each minute are its truth to the micro-dollar."""
    seen: dict[tuple[int, str, str], int] = {}
    for event in events:
        if isinstance(event, Liquidation):
            key = (event.event_time_us // (60 * MICROS) * 60 * MICROS, event.asset, event.side)
            seen[key] = seen.get(key, 0) + round(event.notional_usd * MICROS)
    assert seen == {(one.minute_us, one.asset, one.side): one.micro_usd for one in world.minutes()}


def test_takers_did_the_forced_orders(events: list[AnyEvent]) -> None:
    """No venue's bars hold fewer sold dollars than its liquidated longs, or bought than shorts."""
    forced: dict[tuple[str, str, str], float] = {}
    taken: dict[tuple[str, str, str], float] = {}
    for event in events:
        if isinstance(event, Liquidation):
            forced[event.venue, event.asset, event.side] = (
                forced.get((event.venue, event.asset, event.side), 0.0) + event.notional_usd
            )
        elif isinstance(event, TradeBar):
            for side, usd in (("long", event.sell_usd), ("short", event.buy_usd)):
                taken[event.venue, event.asset, side] = taken.get((event.venue, event.asset, side), 0.0) + usd
    assert forced
    assert all(usd < taken[key] for key, usd in forced.items())


def test_without_feedback_forced_orders_do_nothing(eventful: World) -> None:
    """The outside is the same to the bit, E is zero throughout, and so there is no cascade."""
    off = World(replace(EVENTFUL, feedback=False))
    assert not [episode for episode in off.episodes() if not isinstance(episode, NearMiss)]
    for with_feedback, without in zip(eventful.markets, off.markets, strict=True):
        assert not without.endogenous.any()
        difference = with_feedback.log_price - without.log_price
        assert np.allclose(difference, with_feedback.endogenous, atol=1e-6)
        assert with_feedback.lone == without.lone


def assert_rule_holds_from(world: World, episode: Episode) -> None:
    """Within the ten seconds up to ``met_us`` both parts of the rule come to hold; twenty seconds ago not."""
    market = next(one for one in world.markets if one.spec.name == episode.asset)
    side = SIDES.index(episode.direction)
    against = (-1.0 if episode.direction == "long" else 1.0) * market.endogenous.astype(np.float64)
    seconds, micros = market.forced_usd(side)

    def holds(second: int) -> bool:
        risen = max(against[at] - against[max(0, at - 1_800) : at + 1].min() for at in range(second - 9, second + 1))
        usd = micros[(seconds > second - 600) & (seconds <= second)].sum() / MICROS
        return bool(risen >= 0.4 * market.spec.sigma_d * 0.999 and usd >= 0.01 * market.spec.open_interest_usd * 0.999)

    met = (episode.met_us - world.settings.start_us) // MICROS - 1
    assert holds(met)
    assert not holds(met - 20)


def test_truth_follows_its_own_rule(eventful: World) -> None:
    """Times are in order, both parts of the rule are met, and severity and kind agree with the figures."""
    found = [episode for episode in eventful.episodes() if not isinstance(episode, NearMiss)]
    assert found
    facts = {one.asset: one for one in eventful.header().assets}
    for episode in found:
        sigma_d = facts[episode.asset].sigma_d
        sign = -1 if episode.direction == "long" else 1
        move, rise = (
            sign * math.log1p(sign * percent / 100) for percent in (episode.drawdown_pct, episode.endogenous_pct)
        )
        assert episode.onset_us < episode.peak_us
        assert episode.flow_onset_us <= min(episode.peak_us, episode.extreme_us)
        assert_rule_holds_from(eventful, episode)
        assert episode.onset_us <= min(episode.extreme_us, episode.end_us)
        assert rise >= 0.4 * sigma_d * 0.999
        assert move >= 0
        assert 0 < episode.forced_of_oi < 1
        assert episode.severity == 1 + (move >= 1.75 * sigma_d) + (move >= 3 * sigma_d)
        assert (episode.kind == "second_wave") == (episode.wave > 1)


def test_the_same_settings_give_the_same_world(world: World) -> None:
    """Event for event, also when events are read twice; another seed gives another one."""
    first = [next(world.events()), next(World(SETTINGS).events())]
    assert first[0] == first[1]
    other = World(WorldSettings(seed=4, days=0.1, assets=1))
    assert not np.array_equal(other.markets[0].log_price, world.markets[0].log_price[: len(other.markets[0].log_price)])


def test_daily_forced_orders_are_a_few_percent_of_open_interest() -> None:
    """Over a week both sides together lose 1 to 8 % a day: BitMEX's lost 5.4 % (Cheng et al. 2021)."""
    settings = WorldSettings(seed=5, days=7, assets=1)
    (facts,) = World(settings).header().assets
    daily = sum(facts.forced_usd.values()) / facts.open_interest_usd / settings.days
    assert 0.01 < daily < 0.08


def test_an_asset_a_thousand_times_smaller_is_the_same_in_proportion() -> None:
    """Price and E do not depend on the scale; orders are smaller and fewer."""
    large, small = (World(WorldSettings(seed=3, days=1, assets=1, scale=scale)) for scale in (1.0, 0.001))
    assert np.array_equal(large.markets[0].log_price, small.markets[0].log_price)
    assert len(small.markets[0].orders.time_us) < len(large.markets[0].orders.time_us) / 10
    assert small.header().assets[0].open_interest_usd == pytest.approx(5e6)


def test_more_shocks_make_more_cascades() -> None:
    """Without outside shocks there is no cascade; with eight times the usual there is one within days."""
    still, busy = (World(WorldSettings(seed=91, days=4, assets=2, shocks=often)) for often in (0.0, 8.0))
    assert not still.episodes()
    assert [one for one in busy.episodes() if one.severity]


def test_outages_and_decoys_are_in_the_truth(world: World) -> None:
    """Every gap lies in an outage of the truth, and no mark of that venue lies within it."""
    settings = WorldSettings(seed=8, days=3, assets=1)
    stressed = World(settings)
    outages = {
        (one.venue, one.onset_us, one.end_us)
        for one in stressed.decoys()
        if one.kind == "outage" and one.detail == "gap"
    }
    seen = [event for chunk in stressed.events() for event in chunk]
    assert outages == {(event.venue, event.from_us, event.to_us) for event in seen if isinstance(event, Gap)}
    assert outages
    for venue, begin, end in outages:
        assert not [
            event
            for event in seen
            if isinstance(event, MarkPrice) and event.venue == venue and begin <= event.event_time_us < end
        ]
    assert {one.kind for one in world.decoys()} <= {"whale", "depeg", "bad_price", "volatility_spell"}
    assert not World(WorldSettings(seed=8, days=0.1, assets=1, outages=False, decoys=False)).decoys()


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 0.0},
        {"assets": 0},
        {"scale": 0.0},
        {"shocks": -1.0},
        {"calm_mark_s": 0},
        {"hawkes": 1.0},
        {"hawkes": -0.1},
    ],
)
def test_an_impossible_world_is_refused(wrong: dict[str, float]) -> None:
    """Settings of which no world can be made are refused."""
    with pytest.raises(ValueError, match=r"must be above 0|must be 0 or more|or the orders never end"):
        WorldSettings(**wrong)  # type: ignore[arg-type]
