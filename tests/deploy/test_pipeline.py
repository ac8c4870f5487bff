"""The whole way to people on real parts: monitor, Prometheus, Alertmanager, and who pages when.

One simulated cascade is watched by two monitors at once: one with a notifier, one whose notifier is dead.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from monitor.detect.context.holders import Holding
from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR, SEED, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import Phase, Scenario
from monitor.roles.all import monitoring
from monitor.settings.notifier import NotifierSettings
from tests.deliver.paging.events_api import EventsApi
from tests.deploy import dashboards
from tests.deploy.stack import Stack
from tests.deploy.test_rules import rules
from tests.waiting import patient

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("pipeline")]

STORM: Final = Scenario(
    "storm",
    (
        Phase("calm", 3),
        Phase("long cascade", 10, push=-0.042, noise=4, activity=5),
        Phase("relief", 9, push=0.014, noise=1.5, activity=2),
        Phase("calm again", 16, noise=1.2, activity=1.2),
    ),
)
WARMUP_S: Final = 900
QUICK: Final = DETECTOR.model_copy(
    update={
        "judged": DETECTOR.judged.model_copy(update={"flow_windows": ("5s", "10s")}),
        "phases": DETECTOR.phases.model_copy(update={"calm_share": 0.6}),
        "levels": {"BTC": (60_000.0,)},
        "holders": (
            Holding(holder="Whale", asset="BTC", quantity=1e4, average_cost_usd=6e4, as_of="2026-11-01", source="test"),
        ),
    }
)
"""The demo's detector, which calls the storm over though a minute and five minutes still remember it."""
BACKUP: Final = "CascadeNotPaged"
EMPTY: Final = {
    "cascade_asset_quarantined": "only while an asset is quarantined, and none is",
    "cascade_bus_oldest_unconfirmed_seconds": "only of collectors that write to Kafka",
    "cascade_bus_records_unreadable_total": "only of roles that read Kafka",
    "cascade_feed_down_since_timestamp_seconds": "only while a connection is down, and none is",
    "cascade_fragility_ratio": "needs a week",
    "cascade_funding_deviations": "needs days of funding",
    "cascade_notifier_lag_records": "only of channels that read Kafka",
    "cascade_offsets_reset_total": "only of roles that read Kafka",
    "cascade_pace_ratio": "needs a week",
    "cascade_records_lost_total": "only of roles that read Kafka",
    "cascade_rest_last_answer_timestamp_seconds": "the simulated exchanges are not polled",
    "cascade_shards_lost_total": "only of detectors that share the work on Kafka",
    "cascade_rebalances_total": "only of detectors that share the work on Kafka",
    "cascade_taker_variance_ratio": "needs days of trades",
    "cascade_tradfi_stress_decades": "no simulated exchange has index perpetuals",
    "cascade_topics_missing": "only of roles on Kafka",
    "cascade_transactions_committed_total": "only of detectors that share the work on Kafka",
    "cascade_volatility_index_ratio": "no simulated exchange has an index of volatility",
}
"""Metrics that a storm of a minute cannot have, and why."""


class Seen(NamedTuple):
    """What came of the storm.

    Attributes:
        pages: what the notifier's stand-in accepted.
        quiet: what Alertmanager sent for the monitor whose notifier lives.
        backup: what Alertmanager sent for the one whose notifier is dead.
        results: by expression of a rule (or selector of an alert) the series that it gave amid the storm.
    """

    pages: list[dict[str, Any]]
    quiet: list[dict[str, Any]]
    backup: list[dict[str, Any]]
    results: dict[str, list[dict[str, Any]]]


def expressions() -> list[str]:
    """What must have data: every recorded series, every selector that an alert reads, and what every panel asks."""
    recorded = [rule["record"] for rule in rules("record")]
    selectors = {
        found
        for rule in rules("alert")
        for found in re.findall(r"\bcascade_[a-z0-9_]+(?:\{[^}]*\})?", re.sub(r"[a-z]+:cascade\S+", "", rule["expr"]))
    }
    asked = [*sorted(selectors), *dashboards.expressions()]
    return recorded + [one for one in asked if not any(name in one for name in EMPTY)]


async def sample(stack: Stack, results: dict[str, list[dict[str, Any]]]) -> None:
    """Note what each expression gives, the first time that it gives anything."""
    while True:
        for expression in expressions():
            if not results.get(expression):
                results[expression] = await stack.query(expression)
        await asyncio.sleep(0.5)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """The storm, played once."""
    return asyncio.run(play(tmp_path_factory.mktemp("pipeline")))


async def play(folder: Path) -> Seen:
    """Play the storm before two monitors."""
    results: dict[str, list[dict[str, Any]]] = {}
    async with AsyncExitStack() as stack:
        pager, quiet, backup = (stack.enter_context(EventsApi()) for _ in range(3))
        arena = await stack.enter_async_context(Arena(STORM, SEED, warmup_s=WARMUP_S))
        settings = demo_settings(arena, folder / "cache", None)
        paging = NotifierSettings.model_validate(
            {"pagerduty": {"routing_key": "A" * 32, "url": pager.url}, "state_file": None}
        )
        stacks = []
        learned = Detector(QUICK)
        learned.apply(arena.history())
        calm = learned.snapshot()
        for name, notifier, events in (("living", paging, quiet), ("dead", NotifierSettings(), backup)):
            detector = Detector.restore(calm, QUICK)
            state = settings.delivery.model_copy(update={"state_file": folder / f"{name}.state"})
            monitor = await stack.enter_async_context(
                monitoring(
                    settings.model_copy(update={"notifier": notifier, "delivery": state, "detector": QUICK}), detector
                )
            )
            target = monitor.url.removeprefix("http://")
            stacks.append(await stack.enter_async_context(Stack(folder / name, target, events)))
        sampling = asyncio.create_task(sample(stacks[0], results))
        await arena.watched()
        await arena.play()
        await asyncio.to_thread(pager.wait_for, 2, 20)
        async with asyncio.timeout(patient(60)):
            while any(count % 2 for count in keys(pager.accepted).values()):  # noqa: ASYNC110  # another thread's list
                await asyncio.sleep(0.1)
        await asyncio.sleep(4)  # a page too many would come within keep_firing_for and a group interval
        sampling.cancel()
        await asyncio.wait([sampling])
        return Seen(pager.accepted, quiet.accepted, backup.accepted, results)


def keys(events: list[dict[str, Any]]) -> Counter[str]:
    """How many opening and closing events each incident got."""
    return Counter(event["dedup_key"] for event in events if not is_wave(event))


def is_wave(event: dict[str, Any]) -> bool:
    """Whether it updates an incident that is open."""
    return "another wave" in event.get("payload", {}).get("summary", "")


def about(events: list[dict[str, Any]], alert: str) -> list[dict[str, Any]]:
    """Alertmanager's events of one alert."""
    return [event for event in events if alert in str(event.get("payload", {}).get("class", ""))]


def test_each_incident_is_opened_once_and_resolved_once(seen: Seen) -> None:
    """By the notifier, with the episode's id as key, the market's as critical; the details are the signal."""
    assert set(keys(seen.pages).values()) == {2}
    opened = [event for event in seen.pages if event["event_action"] == "trigger" and not is_wave(event)]
    market = next(event for event in opened if event["dedup_key"].startswith("MARKET-long-"))
    assert market["payload"]["severity"] == "critical"
    assert market["payload"]["custom_details"]["phase"] == "cascade"
    assert [event["event_action"] for event in seen.pages if event["dedup_key"] == market["dedup_key"]][-1] == "resolve"


def test_prometheus_does_not_page_what_the_notifier_has_paged(seen: Seen) -> None:
    """The backup keeps silent while the notifier lives; the dead man's switch speaks."""
    assert about(seen.quiet, BACKUP) == []
    assert [event for event in seen.quiet if "alerts" in event]


def test_prometheus_pages_what_a_dead_notifier_cannot(seen: Seen) -> None:
    """Trigger and resolve of the market arrive with one key, and say that the notifier has not paged it."""
    market = [event for event in about(seen.backup, BACKUP) if event["payload"]["component"] == "MARKET"]
    trigger = next(event for event in market if event["event_action"] == "trigger")
    assert trigger["payload"]["severity"] == "critical"
    assert "MARKET: a cascade of longs runs and the notifier has not paged it" in trigger["payload"]["summary"]
    ends = [event for event in seen.backup if event.get("dedup_key") == trigger["dedup_key"]]
    assert {event["event_action"] for event in ends} == {"trigger", "resolve"}


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_has_data_amid_a_cascade(seen: Seen, expression: str) -> None:
    """No rule reads a metric, or a label, that is not there."""
    assert seen.results[expression], f"{expression} gave nothing"
