"""Sends pages to any program that accepts JSON by HTTP POST."""

from __future__ import annotations

import msgspec

from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.text import Body, Links, Render, summary


def channel(url: str, links: Links, proxy: str | None = None) -> Channel:
    """Return the channel that posts to a webhook; its address is a secret."""
    return Channel("webhook", url, renderer(links), proxy=proxy)


def renderer(links: Links) -> Render:
    """Return the renderer of the webhook's JSON: id, action, key, severity, summary, signal and links."""

    def render(page: Page) -> Body:
        filled = links.fill(page)
        return {
            "type": "page",
            "id": page.id,
            "action": page.action,
            "dedup_key": page.episode_id,
            "severity": page.severity,
            "summary": summary(page),
            "signal": msgspec.to_builtins(page.signal),
            "links": {name: link for name, link in filled._asdict().items() if link},
        }

    return render
