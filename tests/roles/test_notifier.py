"""From settings to channels, and what role ``all`` keeps of its pages between two runs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.bus.memory import MemoryBus
from monitor.deliver.paging import notifier
from monitor.deliver.paging.incidents import Page, Pages, content_mark
from monitor.deliver.paging.notifier import Notifier
from monitor.deliver.paging.queue import MOST_FAULTS
from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, AnyEvent, Liquidation, MarkPrice
from monitor.roles.notifier import channels, faults, local_notifiers, run_local
from monitor.settings.notifier import NotifierSettings
from monitor.storage.checksum import seal
from monitor.storage.kept_file import read_state
from monitor.storage.side_output import SideOutput
from monitor.storage.state_losses import PARTS, StateLosses
from tests.deliver.paging.events_api import EventsApi
from tests.deliver.paging.signals import T0
from tests.deliver.paging.test_incidents import EPISODE
from tests.deliver.paging.test_notifier import accepted, running
from tests.waiting import until

OPEN = msgspec.json.encode([["BTC-long-20251124T160000Z", 2, content_mark(EPISODE[1]), 0]])


@pytest.fixture
def api() -> Iterator[EventsApi]:
    """A running stand-in."""
    with EventsApi() as running_api:
        yield running_api


def settings(api: EventsApi, folder: Path, **more: Any) -> NotifierSettings:
    """Settings that page the stand-in."""
    pagerduty = {"routing_key": "K", "url": api.url}
    return NotifierSettings.model_validate({"pagerduty": pagerduty, "state_file": str(folder / "state")} | more)


async def test_every_channel_that_is_configured_is_there(api: EventsApi) -> None:
    """PagerDuty, webhook and chat; none of them without its key or address."""
    every = {"pagerduty": {"routing_key": "K"}, "webhook": {"url": api.url}, "slack": {"url": "https://chat.example/x"}}
    found = channels(NotifierSettings.model_validate(every), None)
    assert [channel.name for channel in found] == ["pagerduty", "webhook", "slack"]
    assert channels(NotifierSettings(), None) == []
    for channel in found:
        await channel.close()


async def test_a_page_in_one_process_is_resolved_by_the_next(api: EventsApi, tmp_path: Path) -> None:
    """The open incident is in the file; its episode does not run any more at the next start, so it is resolved."""
    bus = MemoryBus()
    (first,) = local_notifiers(
        settings(api, tmp_path),
        bus,
        Detector(),
        lambda: T0,
        SideOutput("notifier_state"),
        losses=StateLosses(lambda: T0),
    )
    async with running(first):
        bus.write(EPISODE[:2])
        await accepted(api, 1)
        await until(lambda: (tmp_path / "state.pagerduty").exists())
    assert read_state(tmp_path / "state.pagerduty") == OPEN
    (second,) = local_notifiers(
        settings(api, tmp_path),
        MemoryBus(),
        Detector(),
        lambda: T0,
        SideOutput("notifier_state"),
        losses=StateLosses(lambda: T0),
    )
    async with running(second):
        key = "BTC-long-20251124T160000Z"
        assert await accepted(api, 2) == [("trigger", key), ("resolve", key)]


async def test_only_the_assets_asked_for_page(api: EventsApi, tmp_path: Path) -> None:
    """`assets` reaches the notifier."""
    bus = MemoryBus()
    (work,) = local_notifiers(
        settings(api, tmp_path, assets="ETH"),
        bus,
        Detector(),
        lambda: T0,
        SideOutput("notifier_state"),
        losses=StateLosses(lambda: T0),
    )
    async with running(work):
        bus.write(EPISODE)
        await until(lambda: bus.waiting == 0)
        await asyncio.sleep(0.05)
    assert api.tries == []


@pytest.mark.parametrize("content", [OPEN[:9], seal(OPEN)[:-1], seal(OPEN)[:-1] + b" "])
async def test_a_damaged_file_is_set_aside(
    api: EventsApi, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged file costs the open incidents and not the start: it is kept, counted and named in the log."""
    (tmp_path / "state.pagerduty").write_bytes(content)
    losses = StateLosses(lambda: T0)
    (work,) = local_notifiers(
        settings(api, tmp_path), MemoryBus(), Detector(), lambda: T0, SideOutput("notifier_state"), losses=losses
    )
    assert not work.stats().open
    assert (tmp_path / "state.pagerduty.unusable").read_bytes() == content
    assert not (tmp_path / "state.pagerduty").exists()
    assert losses.view() == (dict.fromkeys(PARTS, 0) | {"incidents": 1}, T0)
    assert "state.pagerduty: open incidents are damaged" in caplog.text


async def test_a_damaged_file_ends_the_start_where_the_settings_say_so(api: EventsApi, tmp_path: Path) -> None:
    """With damaged_state: refuse the file stays where it is, and the error names the remedy."""
    (tmp_path / "state.pagerduty").write_bytes(OPEN[:9])
    losses = StateLosses(lambda: T0, refuses=True)
    with pytest.raises(OperatorError, match=r"state\.pagerduty: open incidents are damaged .*restore a backup"):
        local_notifiers(
            settings(api, tmp_path), MemoryBus(), Detector(), lambda: T0, SideOutput("notifier_state"), losses=losses
        )
    assert (tmp_path / "state.pagerduty").read_bytes() == OPEN[:9]


@asynccontextmanager
async def faulty(api: EventsApi, bus: MemoryBus, folder: Path, times: int) -> AsyncIterator[Notifier]:
    """A supervised notifier that cannot word a trigger the first so many times."""
    (work,) = local_notifiers(
        settings(api, folder), bus, Detector(), lambda: T0, SideOutput("notifier_state"), losses=StateLosses(lambda: T0)
    )
    render, left = work.channel._render, times

    def fails(page: Page) -> dict[str, Any]:
        nonlocal left
        if page.action == "trigger" and left:
            left -= 1
            assert faults([work.stats()]).ok == (left == times - 1)
            raise RuntimeError("a fault of ours")
        return dict(render(page))

    work.channel._render = fails
    task = asyncio.create_task(run_local(work, random.Random(1)))
    yield work
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarts without a wait to speak of."""
    monkeypatch.setattr(notifier, "RESTART_S", 0.001)


@pytest.mark.usefixtures("at_once")
async def test_a_fault_restarts_the_notifier(api: EventsApi, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What it was to send is sent after the restart, in order; the fault is counted, logged, and said until then."""
    bus = MemoryBus()
    async with faulty(api, bus, tmp_path, 2) as work:
        bus.write(EPISODE)
        assert [action for action, _ in await accepted(api, 3)] == ["trigger", "trigger", "resolve"]
        await until(lambda: not work.stats().failing)
    assert (work.stats().crashes, work.stats().pending) == (2, 0)
    assert "pagerduty: the notifier's sending failed; restarting it" in caplog.text
    assert "a fault of ours" in caplog.text
    assert faults([work.stats()]).ok
    shown = faults([work.stats()._replace(failing=True, pending=4)])
    assert (shown.ok, shown.detail) == (False, "pagerduty: failed and restarted, 4 pages wait")


@pytest.mark.usefixtures("at_once")
async def test_a_page_that_always_fails_does_not_hold_up_the_others(
    api: EventsApi, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After some tries it is given up, counted and logged, and the next ones are sent."""
    bus = MemoryBus()
    async with faulty(api, bus, tmp_path, MOST_FAULTS) as work:
        bus.write(EPISODE)
        assert [action for action, _ in await accepted(api, 2)] == ["trigger", "resolve"]
        await until(lambda: not work.stats().failing)
    assert work.stats().crashes == MOST_FAULTS
    assert work.stats().accepted == {"trigger": 0, "update": 1, "resolve": 1}
    assert work.stats().given_up == {"trigger": 1, "update": 0, "resolve": 0, "unknown": 0}
    assert "pagerduty: trigger of BTC-long-" in caplog.text


def whipsaw(second: int) -> list[AnyEvent]:
    """One second of a minute in which longs are forced out for twelve seconds, and shorts from then on."""
    at_us, down = T0 + second * MICROS, second < 12
    price = 65_000.0 * (1 - 0.01 * second if down else 0.88 + 0.015 * (second - 12))
    forced = [
        Liquidation(venue, "BTCUSDT", "BTC", at_us, at_us, "long" if down else "short", 4e6, "complete", str(number))
        for venue in ("bybit", "okx")
        for number in range(10 * second, 10 * second + 10)
    ]
    return [MarkPrice("bybit", "BTCUSDT", "BTC", at_us, at_us, price), *forced]


def settled(work: Notifier) -> bool:
    """The notifier has every answer: what it is stopped before, it has to send again."""
    return work.stats().pending == 0


async def test_restarts_amid_episodes_of_both_sides_page_nothing_more(api: EventsApi, tmp_path: Path) -> None:
    """An asset and the market with a long and a short episode each, restarted every five seconds: one incident each."""
    detector, bus, expected = Detector(DETECTOR), MemoryBus(), 0
    both: set[int] = set()
    (work,) = local_notifiers(
        settings(api, tmp_path), bus, detector, lambda: T0, SideOutput("notifier_state"), losses=StateLosses(lambda: T0)
    )
    undisturbed = Pages()
    for start in range(0, 60, 5):
        async with running(work):
            signals = [each for second in range(start, start + 5) for each in detector.apply(whipsaw(second))]
            expected += sum(undisturbed.take(each) is not None for each in signals)
            bus.write(signals)
            await accepted(api, expected)
            await until(partial(settled, work))
        await work.close()  # what is settled is on disk before the next one reads it
        both.update(len(view.episodes) for view in detector.view().assets)
        detector, bus = Detector.restore(detector.snapshot(), DETECTOR), MemoryBus()
        (work,) = local_notifiers(
            settings(api, tmp_path),
            bus,
            detector,
            lambda: T0,
            SideOutput("notifier_state"),
            losses=StateLosses(lambda: T0),
        )
        assert work.stats().pending == 0
    await work.close()
    assert 2 in both
    paged = [(event["event_action"], event["dedup_key"].rpartition("-")[0]) for event in api.tries]
    assert len(paged) == expected
    assert sorted(key for action, key in paged if action == "trigger") == [
        "BTC-long",
        "BTC-short",
        "MARKET-long",
        "MARKET-short",
    ]
    assert sorted(key for action, key in paged if action == "resolve") == ["BTC-long", "MARKET-long"]
