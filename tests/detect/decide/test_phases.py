"""The state machine, by hand and against its own rules."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.detect.decide.phases import RECENT_S, Observation, Phases, PhaseState
from monitor.detect.settings import PhaseSettings
from monitor.model.signals import Phase
from tests.budget import examples

SETTINGS = PhaseSettings()
SHORT = PhaseSettings(
    building_seconds=2,
    building_calm_seconds=3,
    extreme_min_seconds=2,
    extreme_max_seconds=6,
    fast_pace_seconds=2,
    slow_pace_seconds=6,
    relief_hold_seconds=2,
    relief_calm_seconds=4,
    min_dwell_seconds=5,
)
ALLOWED: dict[Phase, set[Phase]] = {
    "calm": {"building", "cascade"},
    "building": {"calm", "cascade"},
    "cascade": {"relief"},
    "relief": {"calm", "cascade"},
}


def seen(
    second: int,
    score: float,
    price: float | None = -100.0,
    *,
    forced: bool | None = None,
    floors: bool = True,
    allowed: bool = True,
    pace: float = 0.0,
    surprise: float = 0.0,
    quiet: float = 1.0,
    reference: float | None = -100,
    saturated: bool = False,
    watch_since: int = 0,
    price_only: bool = False,
    rushes: bool = False,
) -> Observation:
    """An observation; prices are directed (minus the price for longs), forced from 24 points on."""
    return Observation(
        second,
        score,
        score >= 24 if forced is None else forced,
        floors,
        price,
        reference,
        1.0,
        pace,
        surprise,
        quiet,
        allowed,
        saturated,
        watch_since=watch_since,
        price_only=price_only,
        rushes=rushes,
    )


def run(phases: Phases, observations: list[Observation]) -> list[tuple[int, Phase]]:
    """Seconds and phases of the changes."""
    changes = []
    for observation in observations:
        if phases.update(observation):
            changes.append((observation.second, phases.state.phase))
            if phases.state.phase == "calm":
                phases.forget_episode()
    return changes


def in_cascade(at: int = 1_000, price: float | None = -95.0, reference: float | None = -100.0) -> Phases:
    """A machine that went to cascade a second after ``at``, with a long stretch of 1,000,000 USD a minute."""
    phases = Phases(SETTINGS, PhaseState(fast=1e6, slow=1e6))
    run(phases, [seen(at + age, 90, price, pace=1e6, reference=reference) for age in range(3)])
    assert phases.state.phase == "cascade"
    return phases


def test_time_stands_still_while_nothing_is_seen() -> None:
    """An hour that nobody saw changes nothing but the episode's count: relief comes as long after it as without it."""
    apart, together = in_cascade(), in_cascade()
    quiet = [seen(at, 30, -96.0, pace=0.0) for at in range(1_003, 3_000)]
    (relief_at, _), *_ = run(together, quiet)
    middle = (1_003 + relief_at) // 2
    assert run(apart, quiet[: middle - 1_003]) == []
    for _ in range(3_600):
        apart.hold()
    later = [each._replace(second=each.second + 3_600) for each in quiet[middle - 1_003 :]]
    # A wait that grows with the age of the episode is longer, so it comes no sooner.
    assert run(apart, later)[0][0] >= relief_at + 3_600
    assert apart.state.episode is not None
    assert apart.state.episode.unseen == 3_600


def test_nothing_runs_in_calm_that_could_be_held() -> None:
    """A calm side without any sign of an episode remembers when it came to calm."""
    phases = Phases(SETTINGS, PhaseState(since=5))
    phases.hold()
    assert phases.state == PhaseState(since=5)


@pytest.mark.parametrize("before", ["calm", "building"])
def test_a_price_that_rushes_calls_a_cascade_within_a_second(before: Phase) -> None:
    """One second in which two families agree is enough then, where the floors are met and a cascade is allowed."""

    def after(score: float, *, floors: bool = True, allowed: bool = True, rushes: bool = True) -> Phase:
        phases = Phases(SETTINGS)
        if before == "building":
            run(phases, [seen(1_000 + age, 40) for age in range(11)])
        assert phases.state.phase == before
        run(phases, [seen(1_011, score, floors=floors, allowed=allowed, rushes=rushes)])
        return phases.state.phase

    assert after(50) == "cascade"
    assert [after(49), after(99, floors=False), after(99, allowed=False), after(99, rushes=False)] == 4 * [before]


def test_building_needs_its_score_for_ten_seconds() -> None:
    """A score of 35 builds after ten seconds and not before; the episode starts at the first of them."""
    phases = Phases(SETTINGS)
    assert run(phases, [seen(100 + age, 35) for age in range(10)]) == []
    assert run(phases, [seen(110, 35)]) == [(110, "building")]
    assert phases.state.episode is not None
    assert phases.state.episode.started == 100


def test_one_second_below_begins_the_count_anew() -> None:
    """The ten seconds are without a break."""
    phases = Phases(SETTINGS)
    observations = [seen(100 + age, 34.9 if age == 5 else 50) for age in range(17)]
    assert run(phases, observations) == [(116, "building")]


def test_a_fragile_side_worth_watching_builds_and_is_watched_only() -> None:
    """It builds at once and holds while there is a reason, then calms after a quarter of an hour; one counts once."""
    phases = Phases(SETTINGS)
    assert run(phases, [seen(1_000, 0, watch_since=990)]) == [(1_000, "building")]
    assert phases.state.watched
    assert (phases.is_in_episode, phases.episode_phase) == (False, "calm")
    assert run(phases, [seen(at, 0, watch_since=990) for at in range(1_001, 4_000)]) == []
    assert run(phases, [seen(at, 0) for at in range(4_000, 4_901)]) == [(4_900, "calm")]
    assert run(phases, [seen(at, 0, watch_since=990) for at in range(4_901, 4_950)]) == []
    assert run(phases, [seen(4_950, 0, watch_since=4_940)]) == [(4_950, "building")]


def test_liquidations_make_a_watched_side_an_episode_like_any_other() -> None:
    """Ten seconds at 35 end the watching; 60 is a cascade, of the same episode."""
    phases = Phases(SETTINGS)
    run(phases, [seen(1_000, 0, watch_since=990), *(seen(1_001 + age, 40, watch_since=990) for age in range(10))])
    assert phases.state.watched
    run(phases, [seen(1_011, 40, watch_since=990)])
    assert (phases.state.phase, phases.state.watched, phases.is_in_episode) == ("building", False, True)
    assert phases.episode_phase == "building"
    assert run(phases, [seen(1_012 + age, 65) for age in range(2)]) == [(1_013, "cascade")]
    assert phases.state.episode is not None
    assert phases.state.episode.started == 1_000


def test_what_made_a_side_worth_watching_before_its_cascade_was_over_begins_nothing() -> None:
    """Volatility that jumped in a cascade does not make it build again after relief."""
    phases = in_cascade()
    phases.state.phase, phases.state.episode, phases.state.since = "calm", None, 9_000
    assert run(phases, [seen(9_001 + age, 0, watch_since=8_000) for age in range(5)]) == []


def test_a_price_that_falls_without_liquidations_begins_nothing() -> None:
    """Below the least points of liquidations no score builds."""
    phases = Phases(SETTINGS)
    assert run(phases, [seen(100 + age, 45, forced=False) for age in range(60)]) == []


def test_two_of_three_seconds_call_a_cascade() -> None:
    """From building at 60, from calm at 75: one second alone is an outlier, two in three are not."""
    phases = Phases(SETTINGS)
    run(phases, [seen(100 + age, 40) for age in range(11)])
    assert run(phases, [seen(111, 60), seen(112, 40), seen(113, 40), seen(114, 60)]) == []
    assert run(phases, [seen(115, 40), seen(116, 60)]) == [(116, "cascade")]
    assert run(Phases(SETTINGS), [seen(100, 75), seen(101, 10), seen(102, 75)]) == [(102, "cascade")]
    assert run(Phases(SETTINGS), [seen(100, 74.9), seen(101, 74.9), seen(102, 74.9)]) == []


@pytest.mark.parametrize("lacking", [{"floors": False}, {"allowed": False}])
def test_no_cascade_below_the_floors_or_where_it_is_not_allowed(lacking: dict[str, bool]) -> None:
    """However high the score, it only builds."""
    phases = Phases(SETTINGS)
    assert run(phases, [seen(100 + age, 100, **lacking) for age in range(60)]) == [(110, "building")]


def test_building_ends_after_fifteen_minutes_of_few_liquidations() -> None:
    """Building goes back to calm when liquidations gave too few points for 900 seconds in a row."""
    phases = Phases(SETTINGS)
    run(phases, [seen(100 + age, 40) for age in range(11)])
    assert run(phases, [seen(111 + age, 34, forced=False) for age in range(900)]) == []
    assert run(phases, [seen(1_011, 34, forced=True)]) == []
    assert run(phases, [seen(1_012 + age, 34, forced=False) for age in range(901)]) == [(1_912, "calm")]


def test_relief_needs_a_stopped_price_and_a_slowed_pace() -> None:
    """Either alone for ten minutes is not enough; both for a minute are."""
    rebounded = -96.0
    phases = in_cascade()
    assert run(phases, [seen(1_003 + age, 50, -95.0 + 0.001 * age) for age in range(600)]) == []
    phases = in_cascade()
    assert run(phases, [seen(1_003 + age, 50, rebounded, pace=5e5) for age in range(600)]) == []
    phases = in_cascade()
    # The low is of second 1001: 120 s without a new one, then held for 60 s.
    changes = run(phases, [seen(1_003 + age, 50, rebounded, pace=2e5) for age in range(600)])
    assert changes == [(1_181, "relief")]


def test_a_rebound_of_less_than_its_share_is_none() -> None:
    """15 % of the episode's move of 5: 0.75 is enough; with 0.74 it takes as long as one that stands still."""
    phases = in_cascade()
    assert run(phases, [seen(1_003 + age, 50, -95.74) for age in range(600)]) == [(1_421, "relief")]
    phases = in_cascade()
    assert run(phases, [seen(1_003 + age, 50, -95.75) for age in range(600)]) == [(1_181, "relief")]


def test_a_price_that_stands_still_has_stopped_too() -> None:
    """A crash that does not come back: no new extreme for three times as long, 360 s here, held for 60 s."""
    phases = in_cascade()
    assert run(phases, [seen(1_003 + age, 50, -95.0) for age in range(418)]) == []
    assert run(phases, [seen(1_421, 50, -95.0)]) == [(1_421, "relief")]


def test_a_saturated_feed_does_not_say_that_the_pace_slowed() -> None:
    """At its limit a feed shows no more, however much there is: the cascade stays until it is below."""
    phases = in_cascade()
    assert run(phases, [seen(1_003 + age, 50, -96.0, saturated=True) for age in range(600)]) == []
    assert run(phases, [seen(1_603 + age, 50, -96.0) for age in range(61)]) == [(1_663, "relief")]


def test_forced_flow_that_comes_back_is_a_wave_without_a_new_extreme() -> None:
    """In relief the fast score calls a cascade again when a minute holds half of the worst one."""
    for pace, expected in ((4.9e5, []), (5e5, [(1_183, "cascade")])):
        phases = in_cascade()
        run(phases, [seen(1_003 + age, 50, -96.0) for age in range(179)])
        assert run(phases, [seen(1_182 + age, 75, -96.0, pace=pace) for age in range(3)]) == expected


def test_the_pace_must_also_fall() -> None:
    """A minute below a quarter of the worst one does not count while its quick average is above its slow one."""
    phases = in_cascade()
    run(phases, [seen(1_003 + age, 50, -95.0 + 0.001 * age, pace=0.0) for age in range(3_600)])
    assert run(phases, [seen(4_603 + age, 50, -93.0, pace=2e5) for age in range(1_000)]) == []
    assert phases.state.stopped
    assert not phases.state.slowed


def test_a_long_episode_must_stand_still_for_longer() -> None:
    """After an hour, a quarter of the time since the onset is capped at fifteen minutes."""
    phases = in_cascade()
    run(phases, [seen(1_003 + age, 90, -95.0 + age * 1e-3, pace=1e6) for age in range(7_200)])
    changes = run(phases, [seen(8_203 + age, 50, -94.0) for age in range(2_000)])
    assert changes == [(8_202 + 900 + 60, "relief")]


def test_a_second_wave_is_of_the_same_episode() -> None:
    """A new extreme by a quarter of sigma with surprising liquidations goes back to cascade: wave 2."""
    phases = in_cascade()
    run(phases, [seen(1_003 + age, 50, -96.0) for age in range(179)])
    episode = phases.state.episode
    assert phases.state.phase == "relief"
    assert run(phases, [seen(1_182, 90, -94.75, surprise=6.0)]) == []  # by 0.25, not more
    assert run(phases, [seen(1_183, 90, -94.7, surprise=2.9)]) == []
    assert run(phases, [seen(1_184, 90, -94.7, surprise=3.0, floors=False)]) == []
    assert run(phases, [seen(1_185, 90, -94.7, surprise=3.0, allowed=False)]) == []
    assert run(phases, [seen(1_186, 90, None, surprise=3.0)]) == []
    assert run(phases, [seen(1_187, 90, -94.7, surprise=3.0)]) == [(1_187, "cascade")]
    assert phases.state.episode is episode
    assert episode is not None
    assert (episode.waves, episode.cascade, episode.started) == (2, 1_001, 1_000)


def test_where_nothing_is_seen_a_far_extreme_is_a_wave() -> None:
    """By a whole hourly sigma instead of a quarter, with no word of liquidations, and while the floors hold."""
    phases = in_cascade()
    run(phases, [seen(1_003 + age, 50, -96.0) for age in range(179)])
    assert run(phases, [seen(1_182, 90, -94.0, price_only=True)]) == []  # by 1, not more
    assert run(phases, [seen(1_183, 90, -93.9, price_only=True, floors=False)]) == []
    assert run(phases, [seen(1_184, 90, -93.9, price_only=True)]) == [(1_184, "cascade")]


def test_where_nothing_is_seen_the_last_episodes_move_is_no_new_one() -> None:
    """An hour's move still holds it for an hour after calm; what goes further by an hourly sigma is new."""

    def calm_again() -> Phases:
        phases = in_cascade()
        run(phases, [seen(1_003 + age, 30, -95.0, forced=False) for age in range(2_600)])
        assert (phases.state.phase, phases.state.since) == ("calm", 3_221)
        return phases

    known = [seen(3_603 + age, 90, -94.0, price_only=True) for age in range(3_218)]
    assert run(calm_again(), known) == []
    assert run(calm_again(), [*known, *(seen(6_821 + age, 90, -94.0, price_only=True) for age in range(3))]) == [
        (6_822, "cascade")
    ]
    assert run(calm_again(), [seen(3_603 + age, 90, -93.9, price_only=True) for age in range(3)]) == [
        (3_604, "cascade")
    ]
    assert run(calm_again(), [seen(3_603 + age, 90, -94.0) for age in range(3)]) == [(3_604, "cascade")]
    assert run(calm_again(), [seen(3_603 + age, 90, None, price_only=True) for age in range(3)]) == [(3_604, "cascade")]


def test_calm_returns_when_all_is_quiet() -> None:
    """Relief ends after half an hour without a new extreme, with few liquidations and a quiet window near normal."""
    for unquiet in ({"quiet": 2.0}, {"forced": True}):
        phases = in_cascade()
        run(phases, [seen(1_003 + age, 50, -96.0) for age in range(179)])
        tail = [seen(1_182 + age, 30, -96.0, **{"forced": False, **unquiet}) for age in range(2_000)]  # type: ignore[arg-type]
        assert run(phases, tail) == []
    phases = in_cascade()
    run(phases, [seen(1_003 + age, 50, -96.0) for age in range(179)])
    tail = [seen(1_182 + age, 30, -96.0, forced=False, quiet=1.9) for age in range(2_000)]
    assert run(phases, tail) == [(1_181 + 1_800, "calm")]


def test_an_episode_that_began_without_a_price_can_end() -> None:
    """Its move is measured from the first price that comes."""
    phases = Phases(SETTINGS, PhaseState(fast=1e6, slow=1e6))
    run(phases, [seen(1_000 + age, 49, None, pace=1e6, reference=None) for age in range(20)])
    assert phases.state.phase == "building"
    run(phases, [seen(1_020 + age, 90, -95.0, pace=1e6) for age in range(3)])
    assert phases.state.reference == -100.0
    assert run(phases, [seen(1_023 + age, 50, -96.0) for age in range(600)]) == [(1_200, "relief")]


def test_an_episode_without_any_price_does_not_end_as_relief() -> None:
    """Where no price is known, nothing says that it has stopped."""
    phases = in_cascade(price=None, reference=None)
    assert run(phases, [seen(1_003 + age, 50, None, reference=None) for age in range(600)]) == []


@pytest.mark.parametrize("relieved", [False, True])
def test_another_instruments_price_begins_the_move_anew(relieved: bool) -> None:
    """After the price was forgotten, neither the extreme nor the reference nor the wave's mark is of the old one."""
    phases = in_cascade()
    start = 1_003
    if relieved:
        run(phases, [seen(1_003 + age, 50, -96.0) for age in range(179)])
        start = 1_182
    phases.forget_price()
    assert run(phases, [seen(start + age, 50, -2_000.0, surprise=9.0, reference=-2_100.0) for age in range(30)]) == []
    state = phases.state
    assert (state.reference, state.extreme, state.wave_mark) == (-2_100.0, -2_000.0, -2_000.0)


observations = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 1, 2, 7, 60]),
        st.sampled_from([0.0, 20.0, 36.0, 49.0, 61.0, 76.0, 100.0]),
        st.sampled_from([None, -101.0, -100.0, -97.0, -96.5, -96.0, -95.0]),
        st.sampled_from([0.0, 1e5, 1e6]),
        st.sampled_from([0.0, 4.0]),
        st.sampled_from([0.5, 3.0]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=120,
)
# Long stretches of one kind are what leads through all phases; a flat list of single seconds seldom does.
stretches = st.lists(st.tuples(observations.map(lambda found: found[:1]), st.integers(1, 40)), max_size=12).map(
    lambda found: [each for head, times in found for each in head * times]
)


@given(st.one_of(observations, stretches))
@hypothesis_settings(max_examples=examples(30, 600))
def test_the_machine_keeps_its_rules(
    plan: list[tuple[int, float, float | None, float, float, float, bool, bool]],
) -> None:
    """Allowed changes only, none down before the shortest stay, no cascade unless allowed, one episode at a time."""
    phases, second, entered = Phases(SHORT), 1_000, 0
    recent: list[tuple[int, float]] = []
    started: list[int] = []
    for ticks, score, price, pace, surprise, quiet, floors, allowed in plan:
        second += ticks
        observation = seen(
            second, score, price, pace=pace, surprise=surprise, quiet=quiet, floors=floors, allowed=allowed
        )
        recent = [(at, points) for at, points in recent if at > second - RECENT_S]
        recent.append((second, score if floors and allowed else 0.0))
        before, episode = phases.state.phase, phases.state.episode
        changed = phases.update(observation)
        after = phases.state.phase
        assert changed == (before != after)
        assert phases.state.episode is not None or after == "calm"
        if not changed:
            assert phases.state.episode is episode
            continue
        assert after in ALLOWED[before]
        if (before, after) in {("building", "calm"), ("cascade", "relief"), ("relief", "calm")}:
            assert second - entered >= SHORT.min_dwell_seconds
        if after == "cascade" and before != "relief":
            limit = SHORT.fast_score if before == "calm" else SHORT.cascade_score
            assert sum(points >= limit for _, points in recent) >= 2
        if after == "cascade" and before == "relief":
            renewed = sum(points >= SHORT.fast_score for _, points in recent) >= 2
            assert renewed or (floors and allowed and surprise >= SHORT.wave_surprise)
        entered = second
        if episode is None:
            assert phases.state.episode is not None
            started.append(phases.state.episode.started)
        else:
            assert phases.state.episode is episode
        if after == "calm":
            assert episode is not None
            assert episode.ended == second
            phases.forget_episode()
    assert started == sorted(set(started))


@given(stretches)
@hypothesis_settings(max_examples=examples(8, 160))
def test_a_restored_machine_goes_on_as_before(
    plan: list[tuple[int, float, float | None, float, float, float, bool, bool]],
) -> None:
    """State through MessagePack after every second makes no difference."""
    phases, other, second = Phases(SHORT), Phases(SHORT), 1_000
    for ticks, score, price, pace, surprise, quiet, floors, allowed in plan:
        second += ticks
        observation = seen(
            second, score, price, pace=pace, surprise=surprise, quiet=quiet, floors=floors, allowed=allowed
        )
        other = Phases(SHORT, msgspec.msgpack.decode(msgspec.msgpack.encode(other.state), type=PhaseState))
        assert phases.update(observation) == other.update(observation)
        assert phases.state == other.state
