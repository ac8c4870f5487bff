"""Every event that a door accepts can be applied, kept, restored, shown and worded."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.deliver.dashboard.state import Source
from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.deliver.paging import pagerduty, slack, webhook
from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.text import Links
from monitor.detect.asset_summary import AssetSummary
from monitor.detect.context.holders import Holding
from monitor.detect.detector import Detector
from monitor.model.events import AnyEvent
from monitor.model.signals import Signal
from tests.budget import examples, few
from tests.detect.hostile import dense, streams
from tests.detect.scenarios import BRISK, START, encoded, interest, liquidation, mark

SETTINGS = BRISK.model_copy(
    update={
        "levels": {"BTC": [100.0, 6.5e4]},
        "holders": [
            Holding.model_validate(
                {
                    "holder": "A",
                    "asset": "BTC",
                    "quantity": 5.0,
                    "average_cost_usd": 99.0,
                    "as_of": "2026-01-01",
                    "source": "s",
                    "equity_usd": 1e3,
                }
            )
        ],
    }
)
"""With levels and holders, so that what surrounds an asset is computed as well."""


def shown(detector: Detector) -> None:
    """Make everything that is made of a detector's state for people and machines."""
    view = detector.view()
    assert MonitorMetrics(lambda: Snapshot(view)).exposition()
    page = Source(detector.monitored, lambda: detector.second, list, lambda: detector.second * 1_000_000)
    page.sample()
    assert msgspec.json.decode(page.state())["second"] == detector.second


def worded(signals: list[Signal]) -> None:
    """Word a page of every signal for every channel."""
    for signal in signals[-20:]:
        for action in ("trigger", "update", "resolve"):
            page = Page(action, signal.episode_id, "error", signal)
            links = Links("http://x/{asset}", "http://x/{episode_id}", "replay {from_ms}")
            for render in (pagerduty.renderer("key", links), webhook.renderer(links), slack.renderer(links)):
                assert msgspec.json.encode(render(page))


@settings(max_examples=examples(8, 160), suppress_health_check=list(HealthCheck))
@given(streams(), st.integers(0, 40))
def test_every_event_can_be_applied_kept_restored_shown_and_worded(events: list[AnyEvent], cut: int) -> None:
    """No event in any order raises, and a detector that is restored midway goes on byte for byte."""
    check(events, cut)


@pytest.mark.sampled
@pytest.mark.parametrize("seed", few(range(8), 2))
def test_minutes_of_hostile_reports_can_be_applied_kept_restored_shown_and_worded(seed: int) -> None:
    """The same where reports come every second, so that feeds are at their limit and episodes begin."""
    check(dense(seed), random.Random(seed).randrange(250))


def check(events: list[AnyEvent], cut: int) -> None:
    """Apply events at once and with a restart, and make everything of them that can be made."""
    through, half = Detector(SETTINGS), Detector(SETTINGS)
    signals = through.apply(events) + through.advance(through.second + 61)
    first = half.apply(events[:cut])
    rest = Detector.restore(half.snapshot(), SETTINGS)
    assert rest.snapshot() == half.snapshot()
    second = rest.apply(events[cut:])
    second += rest.advance(rest.second + 61)
    assert encoded(first + second) == encoded(signals)
    assert rest.snapshot() == through.snapshot()
    shown(through)
    worded(signals)


@settings(max_examples=examples(5, 80), suppress_health_check=list(HealthCheck))
@given(streams())
def test_what_assets_tell_the_market_survives_the_way_over_the_bus(events: list[AnyEvent]) -> None:
    """Summaries of hostile events are JSON that the market's judge reads back as they were."""
    detector = Detector(SETTINGS, with_market=False)
    detector.apply(events)
    detector.advance(detector.second + 61)
    summaries = detector.take_summaries()
    kept = msgspec.json.decode(msgspec.json.encode(summaries), type=list[AssetSummary])
    assert msgspec.json.encode(kept) == msgspec.json.encode(summaries)


def test_a_last_position_that_is_closed_is_applied() -> None:
    """A thin market whose only position is liquidated, so that its open interest is zero, is judged on."""
    detector = Detector()
    detector.apply([mark(START, 100.0), interest(START + 1, 50.0, 5_000.0), liquidation(START + 2, 5_000.0)])
    flow = detector.assets["BTC"].scope.flow
    rates, floor = list(flow.rates), flow.floor_usd
    detector.apply([interest(START + 3, 0.0, 0.0)])
    assert (flow.rates, flow.floor_usd) == (rates, floor)
    detector.advance(START + 130)
    assert flow.learned_minutes > 0
    assert Detector.restore(detector.snapshot()).snapshot() == detector.snapshot()
