"""Pages wait in order, go once they are sent, and are given up when faults keep them from it."""

from __future__ import annotations

import pytest

from monitor.bus.ports import Partition
from monitor.bus.topics import SIGNALS
from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.queue import MOST_FAULTS, Backlog
from tests.deliver.paging.signals import signal

HERE, THERE = Partition(SIGNALS.name, 0), Partition(SIGNALS.name, 1)


def page(revision: int) -> Page:
    """The page of a signal, made anew as reading it again does."""
    made_by = signal(revision, "cascade", "building")
    return Page("trigger", made_by.episode_id, "warning", made_by)


@pytest.fixture
def backlog() -> Backlog:
    """Three pages of one partition, behind them one of another."""
    waiting = Backlog()
    waiting.add(HERE, [page(1), page(2), page(3)])
    waiting.add(THERE, [page(4)])
    return waiting


def revisions(backlog: Backlog) -> list[int]:
    """Take out everything, in order."""
    found = []
    while backlog:
        first = backlog.first
        assert first.page.signal is not None
        found.append(first.page.signal.revision)
        backlog.done(first)
    return found


def test_pages_leave_in_the_order_in_which_they_came(backlog: Backlog) -> None:
    """The oldest is the first."""
    assert revisions(backlog) == [1, 2, 3, 4]


def test_partitions_that_went_take_their_pages_along(backlog: Backlog) -> None:
    """Those of the other stay; that the page in flight was sent costs none of them."""
    sent = backlog.first
    backlog.drop([HERE])
    backlog.done(sent)
    assert revisions(backlog) == [4]


def test_a_page_that_was_read_again_while_it_was_sent_is_done_too(backlog: Backlog) -> None:
    """Its partition went and came back with the same page: sent once is enough."""
    sent = backlog.first
    backlog.drop([HERE, THERE])
    backlog.add(HERE, [page(1), page(2)])
    backlog.done(sent)
    assert revisions(backlog) == [2]


def test_a_page_that_was_read_again_behind_others_goes_again_after_them(backlog: Backlog) -> None:
    """Its predecessors go again as well: in this order, or a trigger would be the last word after its resolve."""
    backlog.done(backlog.first)
    sent = backlog.first
    backlog.drop([HERE, THERE])
    backlog.add(HERE, [page(1), page(2)])
    backlog.done(sent)
    assert revisions(backlog) == [1, 2]


def test_a_page_is_given_up_after_so_many_faults_and_the_next_gets_as_many(backlog: Backlog) -> None:
    """The last of its faults gives it up; one that is sent in between leaves none to the next."""
    for expected in (1, 2):
        sent = backlog.first
        assert [backlog.fault(sent) for _ in range(MOST_FAULTS)] == [False] * (MOST_FAULTS - 1) + [True]
        assert len(backlog) == 4 - expected
    backlog.fault(backlog.first)
    backlog.done(backlog.first)
    assert [backlog.fault(backlog.first) for _ in range(MOST_FAULTS)].index(True) == MOST_FAULTS - 1


def test_faults_of_a_page_that_went_give_up_no_other(backlog: Backlog) -> None:
    """They are of nobody's that waits."""
    sent = backlog.first
    backlog.drop([HERE])
    assert not any(backlog.fault(sent) for _ in range(MOST_FAULTS))
    assert revisions(backlog) == [4]
