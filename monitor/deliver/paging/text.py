"""Words a page for all channels: summary, links and details."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from monitor.deliver.paging.incidents import Page
from monitor.deliver.terminal import usd
from monitor.model.events import MARKET, MICROS
from monitor.model.signals import Signal

Body = dict[str, Any]
Render = Callable[[Page], Body]
"""Returns the JSON body that a channel posts for a page."""

TEST: Final = "TEST-"
"""Prefix of a test page's key."""
SUMMARY_LENGTH: Final = 1024
"""Longest summary in characters; PagerDuty truncates longer ones (Events API v2)."""
PHASE_WORDS: Final = {"trigger": "cascade", "update": "another wave of the cascade", "resolve": "over: cascade"}


class Links(NamedTuple):
    """Links of a page, in which ``{asset}``, ``{episode_id}``, ``{from_ms}`` and ``{to_ms}`` are filled in.

    Attributes:
        dashboard: address of the asset's dashboard, None for none.
        runbook: address of the runbook, None for none.
        replay: command that shows what was decided and why.
    """

    dashboard: str | None = None
    runbook: str | None = None
    replay: str | None = None

    def fill(self, page: Page) -> Links:
        """Return the links of one page; their time range is the episode with ten minutes on either side."""
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
    """Return one line: asset, phase, side, USD liquidated, duration, price move, risk and coverage."""
    signal = page.signal
    if signal is None and page.episode_id.startswith(TEST):
        return f"{page.episode_id}: a test of this channel, and no cascade"
    if signal is None:
        return f"over: {page.episode_id} ended without being observed"
    side = "longs" if signal.direction == "long" else "shorts"
    liquidated = signal.liquidated_usd.long if signal.direction == "long" else signal.liquidated_usd.short
    lasted_s = (signal.event_time_us - signal.started_us) / MICROS
    text = (
        f"{signal.asset}: {PHASE_WORDS[page.action]} of {side}, {usd(liquidated)} liquidated in {duration(lasted_s)}, "
        f"price {signal.drawdown_pct:+.1f} %, risk {signal.risk_score:.0f}, {certainty(signal)}"
    )
    return text[:SUMMARY_LENGTH]


def certainty(signal: Signal) -> str:
    """Return the share of complete feeds, the exchanges in gap, and the signal's notes."""
    coverage = signal.coverage
    floor = "" if coverage.complete_share >= 1 else " (a floor)"
    words = [f"{coverage.complete_share:.0%} from complete feeds{floor}"]
    if coverage.venues_in_gap:
        words.append(f"in gap: {', '.join(coverage.venues_in_gap)}")
    return "; ".join([*words, *signal.notes])


def duration(seconds: float) -> str:
    """Return seconds in words: ``95 s``, ``12 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def details(page: Page, links: Links) -> Body:
    """Return the signal's fields as desks receive them, with the command that repeats the decision."""
    fields: Body = msgspec.to_builtins(page.signal) if page.signal is not None else {}
    return fields | ({"replay": links.replay} if links.replay else {})


def addresses(links: Links) -> list[tuple[str, str]]:
    """Return the addresses that are set, each with its name."""
    named = (("dashboard", links.dashboard), ("runbook", links.runbook))
    return [(name, address) for name, address in named if address]
