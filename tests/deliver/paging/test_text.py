"""The words of a page, alike on every channel, and the limits of each."""

from __future__ import annotations

from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.text import Links, duration, pagerduty, slack, summary, webhook
from tests.deliver.paging.signals import T0, signal

KEY = "BTC-long-20251124T160000Z"
LINKS = Links(
    "https://grafana.example/d/cascade-asset?var-asset={asset}&from={from_ms}&to={to_ms}",
    "https://docs.example/cascade.md",
    "cascade-monitor replay RECORDING --json # {episode_id}",
)
TRIGGER = Page("trigger", KEY, "error", signal(95, "cascade", "building", notes=["degraded"]))
RESOLVE = Page("resolve", KEY, "info", signal(900, "calm", "relief"))
UNSEEN = Page("resolve", KEY, "info")


def test_the_summary_says_what_how_bad_and_how_sure() -> None:
    """Asset, side, amount, time, move, risk, share of complete feeds, blind venues and notes stand in one line."""
    assert summary(TRIGGER) == (
        "BTC: cascade of longs, 12.30M liquidated in 95 s, price -4.2 %, risk 72, 60% from complete feeds (a floor); "
        "in gap: okx; degraded"
    )
    assert summary(RESOLVE).startswith("BTC: over: cascade of longs, 12.30M liquidated in 15 min")
    assert summary(UNSEEN) == f"over: {KEY} ended while nobody watched"


def test_pagerduty_gets_an_event_of_its_api() -> None:
    """Trigger with key, severity, the whole signal as details, links and the replay command."""
    event = pagerduty("R" * 32, LINKS)(TRIGGER)
    assert (event["routing_key"], event["event_action"], event["dedup_key"]) == ("R" * 32, "trigger", KEY)
    payload = event["payload"]
    assert (payload["severity"], payload["component"], payload["group"]) == ("error", "BTC", "asset")
    assert payload["timestamp"] == "2025-11-24T16:01:35+00:00"
    details = payload["custom_details"]
    assert details["episode_id"] == KEY
    assert details["windows"]["1m"] == {"long": 5_000_000.0, "short": 0.0, "count": 80}
    assert details["replay"] == f"cascade-monitor replay RECORDING --json # {KEY}"
    from_ms, to_ms = (T0 // 1000 - 600_000, T0 // 1000 + 95_000 + 600_000)
    assert event["links"] == [
        {
            "href": f"https://grafana.example/d/cascade-asset?var-asset=BTC&from={from_ms}&to={to_ms}",
            "text": "dashboard",
        },
        {"href": "https://docs.example/cascade.md", "text": "runbook"},
    ]


def test_a_resolve_is_a_key_and_nothing_else() -> None:
    """PagerDuty needs no payload to resolve; neither does an end that nobody saw."""
    render = pagerduty("K", Links())
    expected = {"routing_key": "K", "event_action": "resolve", "dedup_key": KEY}
    assert render(RESOLVE) == render(UNSEEN) == expected


def test_an_update_is_a_trigger_with_the_same_key() -> None:
    """The Events API has no update: the same key makes it one."""
    event = pagerduty("K", Links())(TRIGGER._replace(action="update"))
    assert (event["event_action"], event["dedup_key"]) == ("trigger", KEY)
    assert event["payload"]["summary"].startswith("BTC: another wave of the cascade of longs")


def test_a_summary_keeps_to_pagerduty_s_limit() -> None:
    """1,024 characters, however much there is to say."""
    assert len(summary(TRIGGER._replace(signal=signal(1, "cascade", "calm", notes=["x" * 2000])))) == 1024


def test_the_webhook_holds_action_summary_signal_and_links() -> None:
    """A program gets the same words and the signal; without a signal it says so."""
    body = webhook(LINKS)(TRIGGER)
    assert (body["type"], body["action"], body["severity"], body["dedup_key"]) == ("page", "trigger", "error", KEY)
    assert body["id"] == TRIGGER.id
    assert body["summary"] == summary(TRIGGER)
    assert body["signal"]["risk_score"] == 72.0
    assert set(body["links"]) == {"dashboard", "runbook", "replay"}
    assert webhook(Links())(UNSEEN)["signal"] is None


def test_a_chat_gets_text_without_markup_of_its_own() -> None:
    """Severity as a mark, evidence, links; angle brackets of the words are escaped."""
    text = slack(LINKS)(TRIGGER._replace(signal=signal(1, "cascade", "calm", notes=["<!channel>"])))["text"]
    assert text.startswith(":large_orange_circle: *BTC: cascade of longs")
    assert "&lt;!channel&gt;" in text
    assert "why: flow_surprise 6.1 (+20)" in text
    assert "<https://docs.example/cascade.md|runbook>" in text
    assert slack(Links())(UNSEEN)["text"].startswith(":white_check_mark: *over:")


def test_durations_are_said_in_the_unit_that_fits() -> None:
    """Seconds, minutes, hours."""
    assert [duration(value) for value in (119.4, 120, 7200)] == ["119 s", "2 min", "2.0 h"]
