from __future__ import annotations

from monitor.lab.evaluate.trials.matrix import (
    BAD_PRICES,
    SPIKE_FACTOR,
    SPIKE_S,
    Feeds,
    all_degradations,
    find_feeds,
    loss_degradations,
)
from monitor.model.events import AnyEvent, MarkPrice
from tests.lab.evaluate.tapes import forced, interest, mark

EVENTS: list[AnyEvent] = [
    mark(0, 100.0, venue="a"),
    forced(1, 10.0),
    interest(2, 5.0),
    forced(3, 5.0, coverage="latest_per_second"),
    mark(4, 99.0, venue="a"),
]


def test_feeds_are_the_venues_with_liquidations() -> None:
    """Venues that report liquidations are found, and those that report all of them are named apart."""
    other = forced(5, 1.0, coverage="latest_per_second")
    other.venue = "x"
    assert find_feeds([*EVENTS, other]) == Feeds(("okx", "x"), ("okx",))


def test_losses_come_first_in_the_matrix() -> None:
    """The matrix begins with a row without each venue and one without the complete feeds."""
    feeds = Feeds(("okx", "x"), ("okx",))
    names = [row.name for row in loss_degradations(feeds)]
    assert names == ["without okx", "without x", "only throttled feeds"]
    assert [row.name for row in all_degradations(feeds)][:3] == names


def test_every_row_of_the_matrix_can_be_applied() -> None:
    """Every row has a name of its own and turns a stream into a stream."""
    rows = all_degradations(find_feeds(EVENTS))
    assert len({row.name for row in rows}) == len(rows) == 14
    for row in rows:
        assert sum(1 for _ in row.apply(EVENTS)) in range(2 * len(EVENTS) + 1)


def test_bad_prices_are_short_and_of_one_venue() -> None:
    """The row of bad prices lowers the first venue's marks for ten seconds an hour."""
    steady = [mark(second, 100.0, venue=venue) for second in range(3_600) for venue in ("a", "b")]
    row = next(row for row in all_degradations(Feeds(("a", "b"), ())) if row.name == BAD_PRICES)
    wrong = [one for one in row.apply(steady) if type(one) is MarkPrice and one.mark_price < 100]
    assert [one.venue for one in wrong] == ["a"] * SPIKE_S
    assert {one.mark_price for one in wrong} == {100.0 * SPIKE_FACTOR}
