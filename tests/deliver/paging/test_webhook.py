"""Pages to a webhook are JSON with the summary, the signal and the links."""

from __future__ import annotations

from monitor.deliver.paging.text import Links, summary
from monitor.deliver.paging.webhook import renderer
from tests.deliver.paging.signals import KEY, LINKS, TRIGGER, UNSEEN


def test_the_webhook_holds_action_summary_signal_and_links() -> None:
    """A program gets the same words and the signal; without a signal it says so."""
    body = renderer(LINKS)(TRIGGER)
    assert (body["type"], body["action"], body["severity"], body["dedup_key"]) == ("page", "trigger", "error", KEY)
    assert body["id"] == TRIGGER.id
    assert body["summary"] == summary(TRIGGER)
    assert body["signal"]["risk_score"] == 72.0
    assert set(body["links"]) == {"dashboard", "runbook", "replay"}
    assert renderer(Links())(UNSEEN)["signal"] is None
