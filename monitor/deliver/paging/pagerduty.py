"""Sends pages to PagerDuty as events of its Events API v2, one incident an episode."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from monitor import __version__
from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.text import Body, Links, Render, addresses, details, summary
from monitor.model.events import MARKET, MICROS

SOURCE: Final = "cascade-monitor"


def channel(url: str, routing_key: str, links: Links, proxy: str | None = None) -> Channel:
    """Return the channel that posts to the Events API with the integration key of a service."""
    return Channel("pagerduty", url, renderer(routing_key, links), routing_key, proxy=proxy)


def renderer(routing_key: str, links: Links) -> Render:
    """Return the renderer of Events API v2 events; a second ``trigger`` with the same key updates the incident."""

    def render(page: Page) -> Body:
        action = "resolve" if page.action == "resolve" else "trigger"
        body: Body = {"routing_key": routing_key, "event_action": action, "dedup_key": page.episode_id}
        if action == "resolve":
            return body
        filled = links.fill(page)
        signal = page.signal
        body["payload"] = {
            "summary": summary(page),
            "source": SOURCE,
            "severity": page.severity,
            "component": signal.asset if signal else MARKET,
            "group": "market" if signal is None or signal.asset == MARKET else "asset",
            "class": "liquidation cascade",
            "custom_details": details(page, filled),
        }
        if signal is not None:
            body["payload"]["timestamp"] = datetime.fromtimestamp(signal.event_time_us / MICROS, UTC).isoformat()
        body["links"] = [{"href": address, "text": name} for name, address in addresses(filled)]
        body["client"] = f"cascade-monitor {__version__}"
        return body

    return render
