"""Context readings as the fields of a signal."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from monitor.detect.context.context_summary import VolatilityReading
from monitor.detect.context.levels import Level
from monitor.detect.context.open_interest import Change
from monitor.detect.context.pace import WatchedHours
from monitor.detect.context.signal_fields import change_field, level_field, pace_fields, volatility_field, write
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.view import ContextView
from monitor.model.events import MICROS, Side
from monitor.model.signals import SignalPace
from tests.bus.records import signal
from tests.detect.decide.made import Isolated, made_scope
from tests.detect.scenarios import START

MICRO_USD = st.integers(1, 10**18)


@given(MICRO_USD, MICRO_USD, MICRO_USD)
def test_the_printed_parts_of_a_change_add_up(then: int, constant: int, now: int) -> None:
    """After rounding, the change in USD is the sum of its two parts, to 1e-9 of the larger part."""
    field = change_field(Change(then, constant, now, now, coins=1.0), coins=True)
    parts = (field.constant_price, field.price_effect)
    assert field.usd == pytest.approx(sum(parts), rel=1e-9, abs=1e-9 * max(1.0, *map(abs, parts)))


def test_coins_are_of_an_asset_alone() -> None:
    """Coins of different assets are not added, so the market's change has none."""
    change = Change(100, 90, 80, 80, coins=-5.0)
    assert change_field(change, coins=True).coins == -5.0
    assert change_field(change, coins=False).coins is UNSET


def test_a_change_that_is_unknown_is_absent() -> None:
    """Before a day was seen implied volatility has a level and no change."""
    assert volatility_field(VolatilityReading(40.0, 1.234, None)).change_24h is UNSET
    known = volatility_field(VolatilityReading(40.0, 1.234, 2.0))
    assert (known.value, known.surprise, known.change_24h) == (40.0, 1.23, 2.0)


def test_a_level_has_the_time_of_its_break_only_if_that_was_observed() -> None:
    """A level that the first price was below is broken without a time."""
    level = Level(100.0)
    level.update(START, 90.0, 0.004, 0.024)
    assert (level_field(level).broken, level_field(level).broken_us) == (True, UNSET)
    level.broken_at = START
    assert level_field(level).broken_us == START * MICROS


def test_there_is_no_pace_before_a_second_was_closed() -> None:
    """Then it is one of each side, its ratios absent until the longer window was watched."""
    scope = made_scope()
    assert pace_fields(scope.flow, WatchedHours()) is None
    scope.close(START, NO_FEEDS, Isolated())
    found = pace_fields(scope.flow, WatchedHours())
    assert found is not None
    assert [each.day_to_week for each in found] == [UNSET, UNSET]


@pytest.mark.parametrize(("side", "covered", "fragility"), [("long", 0.25, 0.5), ("short", 0.75, UNSET)])
def test_a_signal_has_the_pace_and_fragility_of_its_side(side: Side, covered: float, fragility: object) -> None:
    """A view has both sides; what is unknown or empty stays absent, a zero does not."""
    view = ContextView(pace=(SignalPace(0.25, 0.1), SignalPace(0.75, 0.1)), fragility=(0.5, None), funding_8h=0.0)
    written = msgspec.structs.replace(signal(1), direction=side)
    write(written, view)
    assert isinstance(written.pace, SignalPace)
    assert (written.pace.covered_7d, written.fragility, written.funding_8h) == (covered, fragility, 0.0)
    assert (written.levels, written.open_interest, written.basis_bp) == (UNSET, UNSET, UNSET)
