"""Pages to PagerDuty are events of its Events API v2."""

from __future__ import annotations

from monitor.deliver.paging.pagerduty import renderer
from monitor.deliver.paging.text import Links
from tests.deliver.paging.signals import KEY, LINKS, RESOLVE, T0, TRIGGER, UNSEEN


def test_pagerduty_gets_an_event_of_its_api() -> None:
    """Trigger with key, severity, the whole signal as details, links and the replay command."""
    event = renderer("R" * 32, LINKS)(TRIGGER)
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
    render = renderer("K", Links())
    expected = {"routing_key": "K", "event_action": "resolve", "dedup_key": KEY}
    assert render(RESOLVE) == render(UNSEEN) == expected


def test_an_update_is_a_trigger_with_the_same_key() -> None:
    """The Events API has no update: the same key makes it one."""
    event = renderer("K", Links())(TRIGGER._replace(action="update"))
    assert (event["event_action"], event["dedup_key"]) == ("trigger", KEY)
    assert event["payload"]["summary"].startswith("BTC: another wave of the cascade of longs")
