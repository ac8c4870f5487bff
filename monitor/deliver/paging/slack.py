"""Sends pages to a chat through an incoming webhook of Slack, Mattermost or Rocket.Chat."""

from __future__ import annotations

from typing import Final

from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.text import Body, Links, Render, addresses, summary

EMOJI: Final = {"critical": ":red_circle:", "error": ":large_orange_circle:", "warning": ":large_yellow_circle:"}
"""Emoji at the beginning of a message, by severity."""


def channel(url: str, links: Links, proxy: str | None = None) -> Channel:
    """Return the channel that posts to a chat; its address is a secret."""
    return Channel("slack", url, renderer(links), proxy=proxy)


def renderer(links: Links) -> Render:
    """Return the renderer of a message for an incoming webhook."""

    def render(page: Page) -> Body:
        filled = links.fill(page)
        emoji = ":white_check_mark:" if page.action == "resolve" else EMOJI.get(page.severity, ":information_source:")
        lines = [f"{emoji} *{escaped(summary(page))}*"]
        if page.signal is not None:
            strongest = page.signal.evidence[:3]
            reasons = ", ".join(f"{item.feature} {item.value:.3g} (+{item.contribution:.0f})" for item in strongest)
            lines.append(escaped(f"why: {reasons}"))
        if named := " · ".join(f"<{address}|{name}>" for name, address in addresses(filled)):
            lines.append(named)
        if filled.replay:
            lines.append(f"`{escaped(filled.replay)}`")
        return {"text": "\n".join(lines)}

    return render


def escaped(text: str) -> str:
    """Return the text with the three characters escaped that Slack reads as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
