from __future__ import annotations

from monitor.collect.connection.subscription import Subscription
from monitor.exchanges.adapter import Request

BOTH = Request("{}", ("a", "b"))
LAST = Request("{}", ("c",))


def test_settled_when_all_was_sent_and_answered() -> None:
    """Every request must be out and every key acknowledged."""
    subscription = Subscription([BOTH, LAST])
    assert not subscription.settled
    subscription.sending(BOTH, 10.0)
    assert subscription.pending == 2
    assert subscription.acknowledged("a")
    assert subscription.acknowledged("b")
    assert not subscription.settled
    subscription.sending(LAST, 11.0)
    assert subscription.acknowledged("c")
    assert subscription.settled
    assert not subscription.refused_entirely


def test_nothing_to_ask_is_settled() -> None:
    """A plan whose address carries the subscription waits for nothing."""
    subscription = Subscription([])
    assert subscription.settled
    assert not subscription.refused_entirely


def test_acknowledgement_counts_once() -> None:
    """A second acknowledgement of a key, or one of an unknown key, is not one that was waited for."""
    subscription = Subscription([LAST])
    subscription.sending(LAST, 1.0)
    assert subscription.acknowledged("c")
    assert not subscription.acknowledged("c")
    assert not subscription.acknowledged("zzz")


def test_overdue_keys_are_named() -> None:
    """A key is overdue at its deadline and not before."""
    subscription = Subscription([BOTH])
    subscription.sending(BOTH, 10.0)
    subscription.acknowledged("a")
    assert subscription.overdue(9.9) == []
    assert subscription.overdue(10.0) == ["b"]


def test_refusals_settle_their_keys() -> None:
    """A refused key is not waited for; with all refused the socket is of no use."""
    subscription = Subscription([BOTH])
    subscription.sending(BOTH, 10.0)
    subscription.refused("a")
    subscription.refused("unknown")
    assert subscription.overdue(10.0) == ["b"]
    subscription.refused("b")
    assert subscription.settled
    assert subscription.refused_entirely


def test_refusal_without_a_key_excuses_what_is_missing() -> None:
    """When the time is up, an error that named no key explains the missing acknowledgement."""
    subscription = Subscription([BOTH])
    subscription.sending(BOTH, 10.0)
    subscription.acknowledged("a")
    subscription.refused("")
    assert not subscription.settled
    assert subscription.overdue(10.0) == []
    assert subscription.settled
    assert not subscription.refused_entirely
