from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lab.simulate.scenario import DEMO, SCENARIOS, SHORT, Phase, Scenario


def test_demo_lasts_about_ninety_seconds() -> None:
    """The demo is 90 s, the one for tests 12 s; each is found by its name."""
    assert DEMO.seconds == 90
    assert SHORT.seconds == 12
    assert all(SCENARIOS[name].name == name for name in ("demo", "short", "calm"))


def test_progress_walks_through_the_phases() -> None:
    """Before the start the first phase is in force, at each boundary the next one, after the end the last."""
    scenario = Scenario("two", (Phase("first", 2), Phase("second", 1)))
    assert [scenario.phase_at(at).name for at in (-5, 0, 1.9, 2, 3, 99)] == ["first"] * 3 + ["second"] * 3
    assert scenario.progress(-5) == ("first", 0, 0.0, 3)
    assert not scenario.progress(2.9).done
    assert scenario.progress(5) == ("second", 1, 3, 3)
    assert scenario.progress(3).done


def test_push_is_delivered_whole_and_fast_at_first() -> None:
    """A phase's push is there at its end, more than half of it at half time, and stays."""
    scenario = Scenario("fall", (Phase("calm", 1), Phase("fall", 2, push=-0.04), Phase("rise", 1, push=0.01)))
    assert scenario.push_at(-1) == scenario.push_at(1) == 0
    assert scenario.push_at(2) < -0.02
    assert scenario.push_at(3) == pytest.approx(-0.04)
    assert scenario.push_at(4) == scenario.push_at(99) == pytest.approx(-0.03)


@given(st.floats(-10, 120))
def test_push_has_no_jumps(at: float) -> None:
    """Within a tenth of a second BTC is pushed by less than 0.3 %."""
    assert abs(DEMO.push_at(at + 0.1) - DEMO.push_at(at)) < 0.1 * 0.03


@pytest.mark.parametrize("phases", [(), (Phase("nothing", 0),)])
def test_phases_take_time(phases: tuple[Phase, ...]) -> None:
    """A scenario without phases, or with an empty one, is refused."""
    with pytest.raises(ValueError, match="scenario broken: every phase needs a length"):
        Scenario("broken", phases)
