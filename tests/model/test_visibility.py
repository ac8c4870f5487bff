"""Visibility follows from the last contact with each exchange and the time alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.model.events import MICROS
from monitor.model.visibility import (
    HEARD_US,
    STARTING_US,
    Contact,
    MonitorVisibility,
    VisibilityState,
    contacts_of,
    visibility,
)

T0 = 1_764_000_000 * MICROS


def up(venue: str) -> Contact:
    """Return a connected exchange."""
    return Contact(venue, True, T0)


def test_a_monitor_that_reaches_nothing_is_starting_then_blind() -> None:
    """Without any exchange since the start it is starting for half a minute and blind from then on, since the start."""
    never = [Contact("okx", False, 0), Contact("bybit", False, 0)]
    starting = visibility(never, T0 + STARTING_US - 1, T0)
    assert starting == (VisibilityState.STARTING, 0, 2, T0)
    blind = visibility(never, T0 + STARTING_US, T0)
    assert blind == (VisibilityState.BLIND, 0, 2, T0)
    assert starting.is_blind
    assert blind.is_blind


def test_no_exchange_at_all_is_no_calm() -> None:
    """A detector that has read no heartbeat is blind after the start, though no exchange is known to be missing."""
    assert visibility([], T0 + STARTING_US, T0) == (VisibilityState.BLIND, 0, 0, T0)


def test_losing_every_exchange_is_blind_at_once_since_the_last_data() -> None:
    """In mid-run there is no time of grace, also within the first half minute; it lasts since the last data of any."""
    lost = [Contact("okx", False, T0 + 5), Contact("bybit", False, T0 + 7)]
    assert visibility(lost, T0 + 9, T0) == (VisibilityState.BLIND, 0, 2, T0 + 7)


def test_less_than_half_is_degraded_since_the_loss_that_left_so_few() -> None:
    """Two of four are enough, one is not; of the three that are lost the third's loss made the difference."""
    lost = [Contact(name, False, T0 + at) for name, at in (("a", 3), ("b", 1), ("c", 2))]
    assert visibility([up("x"), up("y"), *lost[:2]], T0 + 9, T0) == (VisibilityState.SEEING, 2, 4, 0)
    assert visibility([up("x"), *lost], T0 + 9, T0) == (VisibilityState.DEGRADED, 1, 4, T0 + 3)


def test_heartbeats_are_contacts_until_they_are_old() -> None:
    """A heartbeat counts from the end of its second for ten seconds."""
    second = T0 // MICROS
    assert contacts_of({"okx": second}, T0 + MICROS + HEARD_US) == [Contact("okx", True, T0 + MICROS)]
    assert contacts_of({"okx": second}, T0 + MICROS + HEARD_US + 1) == [Contact("okx", False, T0 + MICROS)]


CONTACTS = st.lists(st.builds(Contact, st.text(), st.booleans(), st.integers(0, 100)), max_size=9)


@given(CONTACTS, st.integers(0, 2 * STARTING_US))
def test_the_state_never_looks_better_than_what_is_connected(contacts: list[Contact], now_us: int) -> None:
    """Seeing needs half of the exchanges, and one; blind or starting means none; a lasting state has a beginning."""
    found: MonitorVisibility = visibility(contacts, now_us, 1)
    assert found.connected == sum(each.is_connected for each in contacts)
    assert found.is_blind == (found.connected == 0)
    assert (found.state is VisibilityState.SEEING) == (found.connected * 2 >= len(contacts) > 0)
    assert (found.since_us == 0) == (found.state is VisibilityState.SEEING)
    assert found.since_us in {0, 1, *(each.last_us for each in contacts if not each.is_connected)}
