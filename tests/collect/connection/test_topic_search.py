from __future__ import annotations

from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from monitor.collect.connection.topic_search import TopicSearch, is_named
from monitor.exchanges.adapter import Topic

Styles = st.sampled_from(["silent", "first", "every", "echo"])


def topics(count: int) -> tuple[Topic, ...]:
    """Return numbered topics; the name of one is a part of the names of others."""
    return tuple(Topic(f"trades.COIN{number}", "trades") for number in range(count))


def refusal(part: tuple[Topic, ...], bad: set[Topic], style: str) -> str:
    """Return an exchange's refusal: without names, with the first bad one, with all, or with the whole request."""
    named = [topic.name for topic in part if topic in bad]
    shown = {"silent": [], "first": named[:1], "every": named, "echo": [topic.name for topic in part]}[style]
    return f"invalid topics: {','.join(shown)}"


@given(count=st.integers(1, 300), data=st.data(), style=Styles)
def test_one_refused_topic_costs_no_other(count: int, data: st.DataObject, style: str) -> None:
    """Whatever the exchange refuses, the others are subscribed once each, within O(bad * log n) requests."""
    everything = topics(count)
    bad = data.draw(st.sets(st.sampled_from(everything), max_size=min(count, 12)))
    suspects = data.draw(st.sets(st.sampled_from(everything), max_size=5))
    search = TopicSearch(everything, suspects)
    subscribed: list[Topic] = []
    requests = 0
    while part := search.part:
        requests += 1
        if bad.intersection(part):
            search.refuse(refusal(part, bad, style))
        else:
            subscribed += part
            search.accept()
    assert sorted(subscribed) == sorted(set(everything) - bad)
    assert search.missing == bad
    assert search.accepted == len(subscribed)
    assert requests <= 2 * len(bad) * (ceil(log2(count)) + 1) + 3


@given(count=st.integers(1, 50), data=st.data())
def test_topics_that_a_list_leaves_out_are_missing(count: int, data: st.DataObject) -> None:
    """An answer that lists the accepted topics settles the others as missing, without another request."""
    everything = topics(count)
    good = data.draw(st.sets(st.sampled_from(everything)))
    search = TopicSearch(everything)
    search.accept([topic.name for topic in good])
    assert (search.part, search.missing, search.accepted) == ((), set(everything) - good, len(good))


def test_suspects_are_requested_after_the_others() -> None:
    """Topics that were refused before do not delay the subscription of the others."""
    first, second, third = topics(3)
    search = TopicSearch((first, second, third), {second})
    assert list(search.part) == [first, third]
    search.accept()
    assert list(search.part) == [second]
    search.refuse()
    assert not search.part
    assert search.missing == {second}


def test_a_repeated_topic_is_not_missing() -> None:
    """A topic that was refused because the socket has it counts as accepted, and the others are requested again."""
    first, second = topics(2)
    search = TopicSearch((first, second))
    search.refuse(f"already subscribed: {first.name}", repeated=True)
    assert list(search.part) == [second]
    search.refuse("already subscribed", repeated=True)
    assert (search.missing, search.accepted) == (set(), 2)


def test_a_name_is_found_as_a_whole_word() -> None:
    """A topic is not named by the name of another that begins or ends like it."""
    assert is_named("BTC_USDT", "unknown contract BTC_USDT")
    assert is_named("trades.BTC", "error,topic:trades.BTC.")
    assert not is_named("BTC_USDT", "unknown contract WBTC_USDT")
    assert not is_named("BTC", "unknown contract BTC-PERPETUAL")
