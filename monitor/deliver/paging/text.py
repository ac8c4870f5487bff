"""How a page is worded: one template behind PagerDuty, a generic webhook and a Slack-compatible one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from monitor import __version__
from monitor.deliver.paging.incidents import Page
from monitor.deliver.terminal import usd
from monitor.model.events import MARKET, MICROS, Signal

Body = dict[str, Any]
Render = Callable[[Page], Body]

TEST: Final = "TEST-"
"""How the key of a test page begins."""
SUMMARY_LENGTH: Final = 1024
"""PagerDuty cuts longer summaries (Events API v2)."""
SOURCE: Final = "cascade-monitor"
PHASE_WORDS: Final = {"trigger": "cascade", "update": "another wave of the cascade", "resolve": "over: cascade"}


class Links(NamedTuple):
    """Where a page points to; ``{asset}``, ``{episode_id}``, ``{from_ms}`` and ``{to_ms}`` are filled in.

    Attributes:
        dashboard: address of the asset's dashboard, None for none.
        runbook: address of the runbook, None for none.
        replay: command that shows what was decided and why.
    """

    dashboard: str | None = None
    runbook: str | None = None
    replay: str | None = None

    def fill(self, page: Page) -> Links:
        """The links of one page; from ten minutes before the episode to ten after."""
        values = {"asset": MARKET, "episode_id": page.episode_id, "from_ms": "now-1h", "to_ms": "now"}
        if page.signal is not None:
            margin_us = 600 * MICROS
            values |= {
                "asset": page.signal.asset,
                "from_ms": str((page.signal.started_us - margin_us) // 1000),
                "to_ms": str((page.signal.event_time_us + margin_us) // 1000),
            }
        return Links(*(text if text is None else _filled(text, values) for text in self))


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def summary(page: Page) -> str:
    """One line that says what, how bad, how sure and since when."""
    signal = page.signal
    if signal is None and page.episode_id.startswith(TEST):
        return f"{page.episode_id}: a test of the way to people, and no cascade"
    if signal is None:
        return f"over: {page.episode_id} ended while nobody watched"
    side = "longs" if signal.direction == "long" else "shorts"
    died = signal.liquidated_usd.long if signal.direction == "long" else signal.liquidated_usd.short
    lasted_s = (signal.event_time_us - signal.started_us) / MICROS
    text = (
        f"{signal.asset}: {PHASE_WORDS[page.action]} of {side}, {usd(died)} liquidated in {duration(lasted_s)}, "
        f"price {signal.drawdown_pct:+.1f} %, risk {signal.risk_score:.0f}, {certainty(signal)}"
    )
    return text[:SUMMARY_LENGTH]


def certainty(signal: Signal) -> str:
    """How much of the truth the sums show."""
    coverage = signal.coverage
    floor = "" if coverage.complete_share >= 1 else " (a floor)"
    words = [f"{coverage.complete_share:.0%} from complete feeds{floor}"]
    if coverage.venues_in_gap:
        words.append(f"in gap: {', '.join(coverage.venues_in_gap)}")
    return "; ".join([*words, *signal.notes])


def duration(seconds: float) -> str:
    """Seconds in words: ``95 s``, ``12 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def pagerduty(routing_key: str, links: Links) -> Render:
    """Renders events of PagerDuty's Events API v2; a second ``trigger`` with the same key updates the incident."""

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
        named = (("dashboard", filled.dashboard), ("runbook", filled.runbook))
        body["links"] = [{"href": href, "text": text} for text, href in named if href]
        body["client"] = f"cascade-monitor {__version__}"
        return body

    return render


def details(page: Page, links: Links) -> Body:
    """The signal as desks get it, with the command that repeats it."""
    fields: Body = msgspec.to_builtins(page.signal) if page.signal is not None else {}
    return fields | ({"replay": links.replay} if links.replay else {})


def webhook(links: Links) -> Render:
    """Renders the generic webhook: id, action, key, severity, summary, signal, links."""

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


def slack(links: Links) -> Render:
    """Renders an incoming webhook as Slack, Mattermost and Rocket.Chat take it."""
    marks = {"critical": ":red_circle:", "error": ":large_orange_circle:", "warning": ":large_yellow_circle:"}

    def render(page: Page) -> Body:
        filled = links.fill(page)
        mark = ":white_check_mark:" if page.action == "resolve" else marks.get(page.severity, ":information_source:")
        lines = [f"{mark} *{escaped(summary(page))}*"]
        if page.signal is not None:
            worst = page.signal.evidence[:3]
            why = ", ".join(f"{item.feature} {item.value:.3g} (+{item.contribution:.0f})" for item in worst)
            lines.append(escaped(f"why: {why}"))
        named = (("dashboard", filled.dashboard), ("runbook", filled.runbook))
        if addresses := " · ".join(f"<{href}|{text}>" for text, href in named if href):
            lines.append(addresses)
        if filled.replay:
            lines.append(f"`{escaped(filled.replay)}`")
        return {"text": "\n".join(lines)}

    return render


def escaped(text: str) -> str:
    """Text without the three characters that Slack reads as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
