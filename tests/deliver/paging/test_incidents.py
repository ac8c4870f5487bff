"""One incident an episode: opened by the cascade, updated by its waves, resolved by the calm."""

from __future__ import annotations

import pytest

from monitor.deliver.paging.incidents import Pages, content_mark
from monitor.model.signals import Signal
from tests.deliver.paging.signals import market, signal

EPISODE = [
    signal(1, "building", "calm"),
    signal(2, "cascade", "building"),
    signal(3, "cascade", "cascade"),
    signal(4, "relief", "cascade"),
    signal(5, "cascade", "relief"),
    signal(6, "cascade", "cascade"),
    signal(7, "relief", "cascade"),
    signal(8, "calm", "relief"),
]


def actions(pages: Pages, signals: list[Signal]) -> list[tuple[str, int]]:
    """Action and revision of each page that the signals make."""
    made = [pages.take(each) for each in signals]
    return [(page.action, page.signal.revision) for page in made if page is not None and page.signal is not None]


def test_an_episode_is_opened_updated_by_wave_and_resolved() -> None:
    """Of eight signals three make a page."""
    pages = Pages()
    assert actions(pages, EPISODE) == [("trigger", 2), ("update", 5), ("resolve", 8)]
    assert pages.open == []


def test_an_episode_that_never_became_a_cascade_pages_nobody() -> None:
    """Building and its end are no page."""
    assert actions(Pages(), [signal(1, "building", "calm"), signal(2, "calm", "building")]) == []


def test_reading_again_pages_nothing_twice() -> None:
    """Signals up to the last one that paged, read a second time, change nothing."""
    pages = Pages()
    actions(pages, EPISODE[:6])
    assert actions(pages, EPISODE[:6]) == []


def test_a_cascade_whose_beginning_was_missed_is_opened_by_any_signal_of_it() -> None:
    """A notifier that starts amid a cascade pages."""
    assert actions(Pages(), EPISODE[2:3]) == [("trigger", 3)]


def test_only_the_assets_asked_for_page_and_the_market_always() -> None:
    """ETH alone is asked for: BTC is silent, MARKET is not."""
    pages = Pages(["ETH"])
    assert actions(pages, [EPISODE[1], market(2, "cascade", "building")]) == [("trigger", 2)]
    assert [page.scope for page in pages.open] == [("MARKET", "long")]


@pytest.mark.parametrize(
    ("made_by", "severity"),
    [
        (market(2, "cascade", "building"), "critical"),
        (signal(2, "cascade", "building", risk_score=80.0), "error"),
        (signal(2, "cascade", "building", risk_score=79.9), "warning"),
    ],
)
def test_severity_is_by_scope_and_score(made_by: Signal, severity: str) -> None:
    """The market is critical, a grave cascade of one asset an error, another a warning."""
    page = Pages().take(made_by)
    assert page is not None
    assert page.severity == severity


def test_a_restart_goes_on_with_what_was_open() -> None:
    """State and load keep the incident and its last revision; one that the channel never had is opened."""
    before, after, refused = Pages(), Pages(), Pages()
    actions(before, EPISODE[:5])
    after.load(before.state([EPISODE[0].episode_id]))
    assert actions(after, EPISODE[4:]) == [("resolve", 8)]
    refused.load(before.state([]))
    assert actions(refused, EPISODE[4:]) == [("trigger", 5), ("resolve", 8)]


def test_an_asset_with_a_dash_keeps_its_name() -> None:
    """The scope is read off the episode's id from its end."""
    pages = Pages()
    pages.take(signal(2, "cascade", "building", asset="A-B", episode_id="A-B-short-20251124T160000Z"))
    assert [page.scope for page in pages.open] == [("A-B", "short")]


def test_incidents_whose_end_nobody_saw_are_resolved() -> None:
    """What does not run any more is resolved without a signal; what runs stays open."""
    pages = Pages()
    pages.take(EPISODE[1])
    pages.take(market(2, "cascade", "building"))
    (page,) = pages.end_all_but(["MARKET-long-20251124T160000Z"])
    assert (page.action, page.episode_id, page.signal) == ("resolve", "BTC-long-20251124T160000Z", None)
    assert [open_page.episode_id for open_page in pages.open] == ["MARKET-long-20251124T160000Z"]


@pytest.mark.parametrize(
    ("state", "because"), [(b'["BTC', "truncated"), (b'[["BTC",2]]', "regex"), (b'{"BTC":2}', "array")]
)
def test_a_state_that_is_none_is_refused(state: bytes, because: str) -> None:
    """Half a state must not pass for an empty one, nor anything for an episode whose asset and side are not told."""
    with pytest.raises(ValueError, match=because):
        Pages().load(state)


def test_a_page_has_the_same_id_whenever_it_is_made() -> None:
    """Each page of an episode has its own, and what reads the signals again makes the same ones."""
    first, second = ([page.id for page in map(Pages().take, EPISODE) if page is not None] for _ in range(2))
    key = EPISODE[0].episode_id
    opened, again = content_mark(EPISODE[1]), content_mark(EPISODE[4])
    assert first == second == [f"{key}-trigger-2-{opened}", f"{key}-update-5-{again}", f"{key}-resolve-{opened}"]


def test_an_end_has_one_id_whether_it_was_seen_or_not() -> None:
    """A process that died before it kept the end leaves it to the next, which has no signal of it."""
    seen, unseen = Pages(), Pages()
    actions(seen, EPISODE[:2])
    actions(unseen, EPISODE[:2])
    page = seen.take(EPISODE[-1])
    assert page is not None
    assert [page.id] == [each.id for each in unseen.end_all_but([])]
