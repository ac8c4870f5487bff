"""A role's tasks and its HTTP server live and end together."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

from monitor.deliver.dashboard.state import Source
from monitor.deliver.http import Check
from monitor.deliver.metrics.monitor import Snapshot
from monitor.roles.serving import serving
from monitor.settings.tree import DeliverySettings
from tests.waiting import patient
from tests.web import CONTEXT


def delivery(**more: Any) -> DeliverySettings:
    """Settings that listen on a free port."""
    return DeliverySettings.model_validate({"port": 0} | more)


def empty_dashboard() -> Source:
    """A dashboard that knows no asset."""
    return Source(list, lambda: 0, list, lambda: 0)


async def get(url: str) -> httpx.Response:
    """Ask the server without blocking the loop that has to answer."""
    return await asyncio.to_thread(httpx.get, url, timeout=patient(10), trust_env=False, verify=CONTEXT)


async def test_metrics_and_checks_are_taken_on_the_event_loop() -> None:
    """State that only the loop changes is only read there, whichever thread answers a request."""
    loops: list[asyncio.AbstractEventLoop] = []

    def snapshot() -> Snapshot:
        loops.append(asyncio.get_running_loop())
        return Snapshot(instruments_age_s={"bybit": 7.0})

    def checks() -> list[Check]:
        loops.append(asyncio.get_running_loop())
        return [Check("feeds", ok=False, detail="none")]

    async with serving(delivery(), snapshot=snapshot, checks=checks, work=[]) as url:
        scrape = await get(f"{url}/metrics")
        ready = await get(f"{url}/readyz")
        alive = await get(f"{url}/livez")
    assert 'cascade_instruments_age_seconds{venue="bybit"} 7' in scrape.text
    assert (ready.status_code, ready.text) == (503, "NOT READY feeds: none\n")
    assert alive.status_code == 200
    assert loops == [asyncio.get_running_loop()] * 2


@pytest.mark.parametrize(("wanted", "has", "status"), [(True, True, 200), (True, False, 404), (False, True, 404)])
async def test_the_dashboard_is_there_where_the_role_has_one_and_it_is_wanted(
    wanted: bool, has: bool, status: int
) -> None:
    """`delivery.page` turns it off; a role without assets has none."""
    shown = empty_dashboard() if has else None
    async with serving(delivery(page=wanted), snapshot=Snapshot, checks=list, work=[], dashboard=shown) as url:
        assert (await get(f"{url}/state.json")).status_code == status


async def test_tasks_end_one_after_the_other_in_their_order() -> None:
    """What collects ends before what decides, however long its end takes."""
    ended: list[str] = []

    def work(name: str, steps: int) -> Callable[[], Coroutine[Any, Any, None]]:
        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(steps):
                    await asyncio.sleep(0)
                ended.append(name)

        return run

    tasks = [work("collect", 5), work("decide", 3), work("write", 0)]
    async with serving(delivery(), snapshot=Snapshot, checks=list, work=tasks) as url:
        await get(f"{url}/livez")
    assert ended == ["collect", "decide", "write"]


async def test_a_task_that_fails_ends_everything_and_frees_the_port() -> None:
    """The failure comes out of the context; nothing goes on serving beside it."""
    urls: list[str] = []

    async def fails() -> None:
        raise OSError("broken")

    async def watch() -> None:
        async with serving(delivery(), snapshot=Snapshot, checks=list, work=[fails]) as url:
            urls.append(url)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failure:
        await watch()
    assert [str(error) for error in failure.value.exceptions] == ["broken"]
    with pytest.raises(httpx.ConnectError):
        await get(f"{urls[0]}/livez")


async def test_a_port_that_is_taken_starts_no_task() -> None:
    """The address is had before anything is collected."""
    started: list[bool] = []

    async def run() -> None:
        started.append(True)

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match="cannot listen"):
            async with serving(delivery(port=port), snapshot=Snapshot, checks=list, work=[run]):
                await asyncio.sleep(0)
    assert started == []
