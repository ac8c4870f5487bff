"""From closed seconds to signals: the micro-scenarios of one asset."""

from __future__ import annotations

import math

import pytest

from monitor.detect.decide.signal import Totals, episode_id
from monitor.detect.decide.surroundings import Venues
from monitor.detect.decide.visibility import NO_FEEDS, Feeds
from monitor.detect.scope_state import Wake
from monitor.detect.score import Item
from monitor.detect.settings import DetectorSettings, FloorSettings
from monitor.model.events import (
    MICROS,
    SIDES,
    AnyEvent,
    Liquidation,
    Side,
)
from monitor.model.signals import Signal
from tests.detect.decide.made import Isolated, made_scope
from tests.detect.scenarios import (
    BRISK,
    START,
    burst,
    crash,
    encoded,
    in_order,
    interest,
    liquidation,
    mark,
    play,
    ramp,
    seconds_of,
    turns,
)


def test_one_order_is_no_episode() -> None:
    """A single order of a million dollars in calm is a surprise, and no more than that."""
    events = in_order([*ramp(START, 900, 100.0, 100.0, step=5), liquidation(START + 300, 1_000_000.0)])
    detector, signals = play(events, BRISK)
    assert not [signal for signal in signals if signal.phase in {"cascade", "relief"}]
    assert detector.assets["BTC"].scope.state.totals == Totals(long=10**12, complete=10**12)


def test_a_crash_of_the_price_alone_does_not_build() -> None:
    """6 % in two minutes without liquidations: all of the price's points, 25 of 65, and no signal."""
    events = [event for event in crash() if not isinstance(event, Liquidation)]
    until = START + 720
    detector, signals = play([event for event in events if event.event_time_us <= until * MICROS], BRISK, until)
    assert signals == []
    assert detector.assets["BTC"].scope.state.sides.long.score.points == 38.46


def test_liquidations_without_a_move_begin_nothing() -> None:
    """Any flow with a price that stands still is capped at 49 by the gate, and begins no episode."""
    events = in_order([*ramp(START, 500, 100.0, 100.0, step=5), *burst(START + 300, 200, 500_000.0)])
    detector, signals = play(events, BRISK)
    _, _, scored = detector.assets["BTC"].leading()
    assert signals == []
    assert (scored.points, scored.gated) == (49.0, True)
    assert "two_family_gate" in {found.feature for found in scored.evidence}


def test_liquidations_with_half_a_move_only_build() -> None:
    """Any flow with a price that moves by less than a cascade's builds."""
    fall = [*ramp(START, 300, 100.0, 100.0, step=5), *ramp(START + 301, 299, 100.0, 98.5), mark(START + 900, 98.5)]
    events = in_order([*fall, *burst(START + 300, 300, 500_000.0)])
    _, signals = play(events, BRISK, START + 1_500)
    assert [signal.phase for signal in turns(signals)] == ["building", "calm"]
    assert max(signal.risk_score for signal in signals) == 49.0


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_cascade_goes_through_all_phases(side: Side) -> None:
    """Down or up: building, cascade, relief, calm, with one id, revisions by one and a signal every second."""
    _, signals = play(crash(side=side), BRISK)
    mine = [signal for signal in signals if signal.asset == "BTC"]
    assert {signal.direction for signal in mine} == {side}
    assert [signal.phase for signal in turns(mine, side=side)] == ["building", "cascade", "relief", "calm"]
    assert len({signal.episode_id for signal in mine}) == 1
    assert [signal.revision for signal in mine] == list(range(1, len(mine) + 1))
    seconds = list(seconds_of(mine))
    assert seconds == list(range(seconds[0], seconds[-1] + 1))
    started = mine[0].started_us // MICROS - 1
    assert mine[0].episode_id == episode_id("BTC", side, started)
    assert START + 600 < started <= seconds[0]
    assert (mine[-1].drawdown_pct > 0) == (side == "short")


def test_contributions_add_up_in_every_signal() -> None:
    """What is printed as evidence sums to what is printed as the score."""
    for signal in play(crash(), BRISK)[1]:
        assert round(sum(found.contribution for found in signal.evidence), 2) == signal.risk_score


def test_an_episode_counts_what_was_liquidated_since_its_first_sign() -> None:
    """Dollars from the first sign's second on, all of them from complete feeds here."""
    _, signals = play(crash(), BRISK)
    mine = [signal for signal in signals if signal.asset == "BTC"]
    started = mine[0].started_us // MICROS - 1
    expected = 200_000.0 * (START + 720 - started)
    assert mine[-1].liquidated_usd.long == expected
    assert {signal.coverage.complete_share for signal in mine} == {1.0}


def test_the_share_of_complete_feeds_is_of_the_episode() -> None:
    """Half of the dollars from a feed that shows one a second: half is complete."""
    events = [
        liquidation(
            event.event_time_us // MICROS,
            event.notional_usd,
            event.side,
            event.venue,
            id_=event.id,
            coverage="latest_per_second" if event.venue == "okx" else "complete",
        )
        if isinstance(event, Liquidation)
        else event
        for event in crash()
    ]
    _, signals = play(events, BRISK)
    last = turns(signals)[-1]
    assert last.coverage.complete_share == pytest.approx(0.5, abs=0.01)


def test_a_second_wave_is_of_the_same_episode() -> None:
    """After relief the price breaks its low with new liquidations: cascade again, the same id, wave 2."""
    first = [event for event in crash() if event.event_time_us < (START + 960) * MICROS]
    events = in_order(
        [
            *first,
            *ramp(START + 961, 119, 97.0, 91.0),
            *burst(START + 961, 119, 300_000.0),
            *ramp(START + 1_081, 59, 91.0, 95.0),
            *ramp(START + 1_145, 2_000, 95.0, 95.0, step=5),
        ]
    )
    detector, signals = play(events, BRISK)
    changes = turns(signals)
    assert [signal.phase for signal in changes] == ["building", "cascade", "relief", "cascade", "relief", "calm"]
    assert len({signal.episode_id for signal in changes}) == 1
    [episode] = [found for found in detector.episodes() if found.asset == "BTC"]
    assert episode.cascade_us == changes[1].event_time_us
    assert episode.relief_us == changes[4].event_time_us
    assert episode.ended_us == changes[5].event_time_us


@pytest.mark.parametrize("lacking", ["price stops", "pace slows"])
def test_relief_needs_both_ends(lacking: str) -> None:
    """A price that stopped while forced flow goes on, or flow that ended while the price goes on, is no relief."""
    events: list[AnyEvent] = [event for event in crash() if event.event_time_us < (START + 720) * MICROS]
    if lacking == "price stops":
        events += ramp(START + 720, 600, 94.0, 80.0)
    else:
        events += [*ramp(START + 720, 60, 94.0, 97.0), *ramp(START + 785, 535, 97.0, 97.0, step=5)]
        events += burst(START + 720, 600, 200_000.0)
    detector, signals = play(in_order(events), BRISK)
    assert [signal.phase for signal in turns(signals)] == ["building", "cascade"]
    state = detector.assets["BTC"].scope.phases.long.state
    assert (state.stopped, state.slowed) == (lacking != "price stops", lacking == "price stops")


def test_units_are_free_of_scale() -> None:
    """A coin a thousandth of the size, under floors a thousandth as high, has the same scores and phases."""
    small = BRISK.model_copy(update={"floors": FloorSettings(floor_usd=50, cascade_usd=250, dust_usd=10)})
    _, large = play(crash(), BRISK)
    _, little = play(crash(usd=200.0), small)
    assert [(s.asset, s.phase, s.revision) for s in large] == [(s.asset, s.phase, s.revision) for s in little]
    for one, other in zip(large, little, strict=True):
        assert one.risk_score == pytest.approx(other.risk_score, abs=0.011)


def test_dust_gives_nothing() -> None:
    """A small coin whose size is not known has no points of liquidations under the default floors, and no signal."""
    _, signals = play(crash(usd=200.0), BRISK)
    assert signals == []


@pytest.mark.parametrize("known", ["interest", "normal"])
def test_floors_shrink_with_the_asset(known: str) -> None:
    """The same thresholds call the crash of an asset a thousand times smaller, by its interest or by what is normal."""

    def crashed(scale: float) -> list[Signal]:
        events: list[AnyEvent] = [interest(START, 1.0, 25e9 * scale)] if known == "interest" else []
        if known == "normal":
            quiet = 43_400.0 * scale  # a minute closes a 1440th of half a percent of that
            events = [liquidation(START - 60 * minute, quiet, side) for minute in range(2_000, 0, -1) for side in SIDES]
        return play(in_order([*events, *crash(usd=5e6 * scale)]), BRISK)[1]

    large, little = turns(crashed(1.0)), turns(crashed(0.001))
    assert "cascade" in [signal.phase for signal in large]
    later = [[signal for signal in found if signal.phase != "building"] for found in (large, little)]
    assert [signal.phase for signal in later[0]] == [signal.phase for signal in later[1]]
    for one, other in zip(*later, strict=True):
        assert abs(one.event_time_us - other.event_time_us) <= 60 * MICROS


def test_a_price_that_rushes_needs_few_orders_beside_it() -> None:
    """Nearly one percent in five seconds and 3 basis points of the open interest are a cascade at once, slower not."""

    def fell(seconds: int, orders: int, interest_usd: float = 19e9, before_usd: float = 0.0) -> list[tuple[str, int]]:
        _, signals = play(
            in_order(
                [
                    interest(START, 1.0, interest_usd),
                    *ramp(START, 600, 100.0, 100.0, "BTC", 1),
                    *ramp(START + 601, seconds, 100.0, 98.5),
                    *(liquidation(START + 605, 8e6 / orders) for _ in range(orders)),
                    *([liquidation(START, before_usd)] if before_usd else []),
                ]
            ),
            until=START + 650,
        )
        return [
            (signal.phase, signal.event_time_us // MICROS - START)
            for signal in turns(signals)
            if signal.asset == "BTC" and signal.phase == "cascade"
        ]

    assert fell(8, 5) == [("cascade", 606)]
    assert fell(8, 4) == []  # four orders
    assert fell(8, 5, 26e9) == [("cascade", 606)]
    assert fell(8, 5, 27e9) == []  # 2.96 basis points
    assert fell(45, 5) == []  # a third of the speed
    assert fell(8, 5, before_usd=183e6) == []  # with those before, 101 basis points within the hour: an aftershock
    assert [phase for phase, _ in fell(8, 5, before_usd=180e6)] == ["cascade"]


def test_no_asset_is_too_small_to_be_dust() -> None:
    """However small its open interest, a few thousand dollars are no cascade."""
    _, signals = play([interest(START, 1.0, 25e3), *crash(usd=80.0)], BRISK)
    assert {signal.phase for signal in turns(signals)} <= {"building", "calm"}


def test_signals_warn_while_normal_is_not_known() -> None:
    """Every signal says so until as much market time was learned from as the settings want."""
    _, signals = play(crash(), BRISK)
    assert all(any(note.startswith("warmup") for note in signal.notes) for signal in signals)
    short = DetectorSettings(baseline=BRISK.baseline.model_copy(update={"warmup_hours": 1e-6}), phases=BRISK.phases)
    _, signals = play(in_order([liquidation(START + 10, 10.0), *crash()]), short)
    assert [signal.notes for signal in signals if signal.notes] == []


def test_hourly_totals_without_a_move_alarm_nobody() -> None:
    """Totals of an hour are in the long windows alone; with a price that stands still they begin nothing."""
    events = in_order(
        [
            *ramp(START, 7_200, 100.0, 100.0, step=300),
            liquidation(START + 3_600, 9e9, coverage="aggregated"),
            liquidation(START + 7_200, 9e9, coverage="aggregated"),
        ]
    )
    detector, signals = play(events, BRISK)
    assert signals == []
    table = detector.assets["BTC"].scope.flow.table
    assert (table["5m"][0][0], table["24h"][0][0]) == (0, 18 * 10**15)


def test_hourly_totals_and_a_fall_are_a_cascade_at_the_hours_end() -> None:
    """Beside a fall of 4 %, too little alone, the hour's total decides when it comes, and the signal says so."""
    quiet = [liquidation(START + 3_600 * hour, 50_000.0, coverage="aggregated") for hour in range(1, 13)]
    end = START + 13 * 3_600
    events = in_order(
        [
            *ramp(START, 12 * 3_600, 100.0, 100.0, step=300),
            *ramp(START + 12 * 3_600 + 60, 3_540, 100.0, 96.0, step=60),
            *quiet,
            liquidation(end, 40_000_000.0, coverage="aggregated"),
        ]
    )
    _, signals = play(events, BRISK, end + 5)
    [called] = [signal for signal in turns(signals) if signal.phase == "cascade"]
    assert end * MICROS <= called.event_time_us <= (end + 3) * MICROS
    assert "10s" not in called.windows
    assert any(note.startswith("aggregated") for note in called.notes)
    assert any(note.startswith("stand_in") for note in called.notes)
    assert (called.reason, called.degraded) == ("flow_and_price", True)
    assert round(math.fsum(one.contribution for one in called.evidence), 2) == called.risk_score


def test_a_price_alone_decides_where_no_liquidations_can_be_seen() -> None:
    """After a day of prices without any liquidation or heartbeat, 6 % in two minutes is a cascade, and says why."""
    crashed = [event for event in crash(START + 90_000) if not isinstance(event, Liquidation)]
    _, signals = play(in_order([*ramp(START, 89_940, 100.0, 100.0, step=60), *crashed]), BRISK)
    called = [signal for signal in turns(signals) if signal.phase == "cascade"]
    assert [signal.reason for signal in called] == ["price_only"]
    assert all(signal.degraded and signal.coverage.seen_share == 0.0 for signal in signals)
    assert any(note.startswith("price_only") for note in called[0].notes)


def test_episodes_lists_running_ones_last() -> None:
    """What has not ended has no end."""
    events = [event for event in crash() if event.event_time_us < (START + 700) * MICROS]
    detector, _ = play(events, BRISK)
    [running] = [found for found in detector.episodes() if found.asset == "BTC"]
    assert running.cascade_us is not None
    assert (running.relief_us, running.ended_us) == (None, None)


def test_the_same_events_give_the_same_bytes() -> None:
    """Nothing but the events decides."""
    assert encoded(play(crash(), BRISK)[1]) == encoded(play(crash(), BRISK)[1])


def test_an_order_stamped_ahead_counts_when_its_second_comes() -> None:
    """The asset does not sleep through it: with the order's second its windows show it."""
    detector, _ = play([liquidation(START + 4, 70_000.0, arrived=START), mark(START, 100.0)], until=START + 4)
    asset = detector.assets["BTC"]
    assert asset.scope.flow.usd("10s", "long") == 0.0
    detector.advance(START + 5)
    assert asset.scope.flow.usd("10s", "long") == 70_000.0
    detector.advance(START + 60)
    assert asset.scope.flow.usd("10s", "long") == 0.0


def test_signals_say_that_hourly_totals_are_in_the_long_windows() -> None:
    """Where a feed of totals stands beside finer ones, every signal notes which windows hold it."""
    hourly = liquidation(START, 1e6, venue="coinalyze", coverage="aggregated")
    _, signals = play([hourly, *crash()], BRISK)
    mine = [signal for signal in signals if signal.asset == "BTC"]
    assert mine
    assert all(any(note.startswith("aggregated") for note in signal.notes) for signal in mine)


def test_quiet_seconds_need_nothing_from_outside() -> None:
    """A calm scope whose price stands still computes neither evidence of context nor what can be seen."""

    class Costly(Isolated):
        def venues(self, feeds: Feeds) -> Venues:
            raise AssertionError("looked at the feeds in a quiet second")

        def confirming_items(self, side: Side) -> list[Item]:
            raise AssertionError("scored in a quiet second")

    scope, around = made_scope(), Costly()
    for second in range(START, START + 59):  # the minute's last second looks at the feeds
        scope.flow.windows.advance(second)
        scope.add_price("bybit", second, 100.0)
        scope.add_liquidation("bybit", "long", second, 10**9, 1, complete=True, aggregated=False)
        assert scope.close(second, NO_FEEDS, around) == []


def test_a_scope_is_due_as_long_as_a_second_can_matter() -> None:
    """The next second after something new, then the minute's last one, and none once a minute was empty."""
    scope, around = made_scope(), Isolated()
    assert scope.state.wake is Wake.ASLEEP
    scope.wake_for_minute()
    assert (scope.is_due(START), scope.is_due(START + 59)) == (False, True)
    scope.add_price("bybit", START, 100.0)
    assert scope.is_due(START)
    scope.close(START, NO_FEEDS, around)
    assert (scope.state.wake, scope.is_due(START + 1), scope.is_due(START + 59)) == (Wake.UNTIL_MINUTE, False, True)
    scope.close(START + 59, NO_FEEDS, around)
    assert scope.state.wake is Wake.ASLEEP
    assert not scope.is_due(START + 119)


def test_a_disturbed_scope_learns_nothing_until_half_an_hour_later() -> None:
    """What surrounds it may freeze its learning though the scope itself is calm, and stays due at minutes' ends."""
    scope = made_scope()
    scope.add_price("bybit", START, 100.0)
    scope.close(START, NO_FEEDS, Isolated(is_disturbed=True))
    assert scope.state.frozen_since == START
    for minute in range(30):
        scope.close(START + 60 * minute + 59, NO_FEEDS, Isolated())
        assert scope.state.wake is Wake.UNTIL_MINUTE
    scope.close(START + 1_859, NO_FEEDS, Isolated())
    assert (scope.state.frozen_since, scope.state.wake) == (0, Wake.ASLEEP)
