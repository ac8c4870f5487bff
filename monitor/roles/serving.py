"""Runs a role's tasks beside its HTTP server: metrics, health and, if configured, the dashboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from monitor.deliver.dashboard.site import dashboard_routes, sample
from monitor.deliver.dashboard.state import Source
from monitor.deliver.http import Check, Route, routes
from monitor.deliver.http_access import Access, server_tls
from monitor.deliver.http_server import HttpServer
from monitor.deliver.loop_health import Pulse
from monitor.deliver.metrics.monitor import MonitorMetrics, Snapshot
from monitor.roles.clock import monotonic_us
from monitor.settings.tree import DeliverySettings

Work = Callable[[], Coroutine[Any, Any, None]]
"""Starts a task that runs until it is cancelled."""


@asynccontextmanager
async def serving(
    delivery: DeliverySettings,
    *,
    snapshot: Callable[[], Snapshot],
    checks: Callable[[], Sequence[Check]],
    work: Sequence[Work],
    venues: Iterable[str] = (),
    dashboard: Source | None = None,
) -> AsyncIterator[str]:
    """Run the server and the tasks while the context lasts; yield the server's address.

    Args:
        delivery: the address to listen on, and the assets that have metrics of their own.
        snapshot: returns the state that a scrape shows; the event loop's lag is added to it.
        checks: returns the conditions of readiness.
        work: the tasks, in the order of the data flow. At the end each is cancelled and awaited before the next, so
            that what was collected is decided, and what was decided is written.
        venues: venues whose counters start at zero instead of being absent.
        dashboard: source of the dashboard's state; None for a role without a dashboard.

    ``snapshot``, ``checks`` and ``dashboard`` are called on the event loop, whichever thread answers a request.

    Raises:
        OSError: the port is in use.
        ExceptionGroup: a task failed.
    """
    pulse = Pulse(monotonic_us)
    shown = dashboard if delivery.page else None

    def take() -> Snapshot:
        return pulse.call(snapshot)._replace(loop_lag_s=pulse.lag_s)

    metrics = MonitorMetrics(take, venues, delivery.assets, delivery.max_assets)
    table = routes(metrics.exposition, lambda: pulse.alive, lambda: pulse.call(checks))
    tasks: list[Work] = [*work, pulse.run]
    if shown is not None:
        table |= _dashboard(shown, pulse)
        tasks.append(lambda: sample(shown))
    with HttpServer(delivery.host, delivery.port, table, _access(delivery)) as server:
        async with _running(tasks):
            yield server.url


def _access(delivery: DeliverySettings) -> Access:
    certificate = delivery.tls_certfile
    tls = server_tls(certificate, delivery.tls_keyfile, delivery.tls_client_ca) if certificate is not None else None
    return Access(None if delivery.token is None else delivery.token.get_secret_value(), tls)


def _dashboard(shown: Source, pulse: Pulse) -> dict[str, Route]:
    return dashboard_routes(lambda: pulse.call(shown.state))


@asynccontextmanager
async def _running(work: Iterable[Work]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(start()) for start in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                await asyncio.wait([task])
