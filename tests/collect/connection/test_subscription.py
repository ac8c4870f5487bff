from __future__ import annotations

from monitor.collect.connection.subscription import Subscription
from monitor.exchanges.adapter import Request, Topic

BOTH = Request("{}", ("a", "b"))
LAST = Request("{}", ("c",))


def test_settled_when_all_was_sent_and_answered() -> None:
    """Every request must be out and every key acknowledged."""
    subscription = Subscription([BOTH, LAST])
    assert not subscription.settled
    subscription.send_next(10.0)
    assert subscription.pending == 2
    assert subscription.acknowledged("a")
    assert subscription.acknowledged("b")
    assert not subscription.settled
    subscription.send_next(11.0)
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
    subscription.send_next(1.0)
    assert subscription.acknowledged("c")
    assert not subscription.acknowledged("c")
    assert not subscription.acknowledged("zzz")


def test_overdue_keys_are_named() -> None:
    """A key is overdue at its deadline and not before."""
    subscription = Subscription([BOTH])
    subscription.send_next(10.0)
    subscription.acknowledged("a")
    assert subscription.overdue(9.9) == []
    assert subscription.overdue(10.0) == ["b"]


def test_refusals_settle_their_keys() -> None:
    """A refused key is not waited for; with all refused the socket is of no use."""
    subscription = Subscription([BOTH])
    subscription.send_next(10.0)
    subscription.refused("a")
    subscription.refused("unknown")
    assert subscription.overdue(10.0) == ["b"]
    subscription.refused("b")
    assert subscription.settled
    assert subscription.refused_entirely


def test_refusal_without_a_key_excuses_what_is_missing() -> None:
    """When the time is up, an error that named no key explains the missing acknowledgement."""
    subscription = Subscription([BOTH])
    subscription.send_next(10.0)
    subscription.acknowledged("a")
    subscription.refused("")
    assert not subscription.settled
    assert subscription.overdue(10.0) == []
    assert subscription.settled
    assert not subscription.refused_entirely


SEVERAL = Request('{"args":["a","b","c","d"]}', ("1",), tuple(Topic(name, "trades") for name in "abcd"))


def test_a_refused_request_is_repeated_without_the_named_topic() -> None:
    """After a refusal that names a topic the others are requested, and only the named one is missing."""
    subscription = Subscription([SEVERAL])
    subscription.send_next(1.0)
    subscription.refused("1", "unknown topic: b")
    assert not subscription.settled
    assert subscription.send_next(2.0).frame == '{"args":["a","c","d"]}'
    assert subscription.acknowledged("1")
    assert subscription.settled
    assert subscription.missing == {Topic("b", "trades")}
    assert not subscription.refused_entirely


def test_a_request_is_refused_entirely_once_each_topic_is() -> None:
    """A socket is useless only after every topic was refused by itself."""
    subscription = Subscription([SEVERAL])
    frames = []
    while subscription.has_unsent:
        assert not subscription.refused_entirely
        frames.append(subscription.send_next(1.0).frame)
        subscription.refused("1", "no")
    assert len(frames) == 7
    assert subscription.refused_entirely


def test_a_list_of_accepted_topics_is_compared_with_the_request() -> None:
    """Topics that an acknowledgement does not list are missing; an empty list accepts nothing."""
    subscription = Subscription([SEVERAL])
    subscription.send_next(1.0)
    assert subscription.acknowledged("1", ["a", "d"])
    assert {topic.name for topic in subscription.missing} == {"b", "c"}
    empty = Subscription([SEVERAL])
    empty.send_next(1.0)
    assert empty.acknowledged("1", [])
    assert empty.refused_entirely


def test_an_overdue_request_is_halved_after_an_unnamed_refusal() -> None:
    """A refusal without a key explains one overdue request; the mute exchange after it is not excused again."""
    subscription = Subscription([SEVERAL])
    subscription.send_next(1.0)
    subscription.refused("", "no")
    assert subscription.overdue(1.0) == []
    assert subscription.send_next(2.0).frame == '{"args":["a","b"]}'
    assert subscription.overdue(2.0) == ["1"]


def test_a_refused_key_without_topics_is_missing() -> None:
    """A request that lists no topics is missing by its key."""
    subscription = Subscription([BOTH])
    subscription.send_next(1.0)
    subscription.acknowledged("a")
    subscription.refused("b", "no")
    assert subscription.missing == {Topic("b", "")}
