"""Checks everything that a run needs and reports what is wrong, for ``cascade-monitor doctor``."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from rich.console import Console

from monitor.bus.kafka import topics_admin
from monitor.bus.kafka.connection import KafkaConnection
from monitor.bus.kafka.errors import BusError
from monitor.collect.connection.session import SessionSettings
from monitor.collect.connection.socket import SocketSettings
from monitor.collect.probe import check_feed
from monitor.collect.rest.client import new_http_client
from monitor.deliver.paging.channel import Channel
from monitor.deliver.paging.incidents import Page
from monitor.deliver.paging.text import TEST
from monitor.deliver.terminal import plain_console
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.registry import adapter_named
from monitor.roles.clock import wall_clock_us
from monitor.roles.notifier import channels
from monitor.settings import Settings
from monitor.settings.tree import VenueSettings

TIMEOUT_S: Final = 10.0
SKEW_S: Final = 2.0
"""Largest accepted difference of two clocks, seconds; HTTP dates have whole seconds, and a request takes time."""
PAGE_S: Final = 20.0
"""Timeout of a test page, seconds; a real page is retried without end."""
ROUTING_KEY: Final = re.compile(r"[0-9a-zA-Z]{32}")


class Finding(NamedTuple):
    """The result of one check; ``remedy`` is what to do if it failed."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


def run(settings: Settings, source: str, *, page: bool) -> int:
    """Run all checks, print the results, and return the exit status: 0 if all passed, else 1.

    Args:
        settings: the settings to check.
        source: name of the settings' file, or ``defaults``.
        page: true to send a test page too, and resolve it.
    """
    console = plain_console()
    found = asyncio.run(_examine(settings, source, page=page, show=lambda finding: _print(console, finding)))
    wrong = [finding for finding in found if not finding.ok]
    console.print(f"{len(found)} checks, {len(wrong)} failed" if wrong else f"{len(found)} checks, all passed")
    return 1 if wrong else 0


def _print(console: Console, finding: Finding) -> None:
    mark = "[green]ok   [/]" if finding.ok else "[red]WRONG[/]"
    remedy = "" if finding.ok or not finding.remedy else f"; {finding.remedy}"
    console.print(f"{mark} {finding.what}: {finding.detail}{remedy}", highlight=False, soft_wrap=True)


async def _examine(settings: Settings, source: str, *, page: bool, show: Callable[[Finding], None]) -> list[Finding]:
    """Return all findings; each is shown as soon as its check ends."""
    found: list[Finding] = []

    def note(findings: Sequence[Finding]) -> None:
        for finding in findings:
            found.append(finding)
            show(finding)

    async def add(looking: Awaitable[Sequence[Finding]]) -> None:
        note(await looking)

    note(_settings(settings, source))
    if settings.role in ("all", "collector"):
        proxy = settings.network.proxy_url
        async with new_http_client(TIMEOUT_S, proxy) as client:
            venues = settings.enabled_venues.items()
            await asyncio.gather(*(add(feed(client, adapter_named(name), venue, proxy)) for name, venue in venues))
    if settings.bus.kind == "kafka":
        await add(kafka(settings))
    await add(pagers(settings, page=page))
    return found


def _settings(settings: Settings, source: str) -> list[Finding]:
    """Check the settings and the folders that are written to."""
    found = [Finding("settings", True, f"{source}: role {settings.role}, {len(settings.enabled_venues)} exchanges")]
    paths = {
        "collector.instruments_cache": settings.collector.instruments_cache,
        "delivery.state_file": settings.delivery.state_file and settings.delivery.state_file.parent,
        "collector.record_path": settings.collector.record_path and settings.collector.record_path.parent,
    }
    return found + [writable(key, path) for key, path in paths.items() if path is not None]


def writable(key: str, folder: Path) -> Finding:
    """Check that a folder is writable or can be created."""
    nearest = folder.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if nearest.is_dir() and os.access(nearest, os.W_OK):
        return Finding(key, True, f"{folder} can be written to")
    return Finding(key, False, f"{folder} cannot be written to by user {os.getuid()}", f"make it writable or set {key}")


async def feed(
    client: httpx.AsyncClient, kind: type[Adapter], venue: VenueSettings, proxy: str | None = None
) -> list[Finding]:
    """Check an exchange's REST API and, if that works, each kind of its sockets."""
    found = await exchange(client, kind, venue)
    if found[0].ok:
        tried = await check_feed(
            kind,
            venue.channels,
            wall_clock_us,
            ws_url=venue.ws_url,
            rest_url=venue.rest_url,
            settings=SessionSettings(socket=SocketSettings(proxy=proxy)),
        )
        found += [Finding(*one) for one in tried[1:]]
    return found


async def exchange(client: httpx.AsyncClient, kind: type[Adapter], venue: VenueSettings) -> list[Finding]:
    """Check that an exchange's REST API returns instruments, and that its clock agrees with this machine's."""
    adapter = kind()
    request = kind.instruments_requests[0]
    url = (venue.rest_url or kind.rest_url).rstrip("/") + request.path
    what, remedy = kind.venue, f"check network, proxy and venues.{kind.venue}.rest_url"
    try:
        method = "GET" if request.body is None else "POST"
        answer = await client.request(method, url, params=dict(request.query), json=request.body)
        answer.raise_for_status()
        page = adapter.parse_instruments(answer.content, request)
    except httpx.HTTPStatusError as error:
        return [Finding(what, False, f"{url} answers HTTP {error.response.status_code}", _refused(error) or remedy)]
    except httpx.HTTPError as error:
        return [Finding(what, False, f"{url} cannot be reached ({type(error).__name__} {error})", remedy)]
    except ValueError as error:
        return [
            Finding(
                what, False, f"{url} returns no instruments ({error})", "the exchange changed its answer: report it"
            )
        ]
    found = [Finding(what, True, f"{url} returns {len(page.instruments)} instruments")]
    return found + clock(kind.venue, answer.headers.get("Date"), wall_clock_us() / 1e6)


def _refused(error: httpx.HTTPStatusError) -> str:
    """Return the remedy for a status of refusal, empty for an unknown one."""
    return {
        403: "this address or country is refused: use another way out",
        418: "this address is banned: wait, and stop other clients on it",
        429: "too many requests from this address: stop other clients on it",
        451: "this country is refused: use another way out",
    }.get(error.response.status_code, "")


def clock(venue: str, date: str | None, now_s: float) -> list[Finding]:
    """Compare the exchange's clock with this machine's, if its answer had a date."""
    if not date:
        return []
    try:
        ahead_s = parsedate_to_datetime(date).timestamp() - now_s
    except ValueError:
        return []
    if abs(ahead_s) <= SKEW_S:
        return [Finding(f"{venue} clock", True, "agrees with this machine's")]
    words = f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    return [Finding(f"{venue} clock", False, words, "run NTP here; events are placed by the exchange's time")]


async def kafka(settings: Settings) -> list[Finding]:
    """Check that the brokers answer and the topics match the table."""
    section = settings.bus.kafka
    try:
        differences = await topics_admin.check(KafkaConnection.from_settings(section), section.replication)
    except BusError as error:
        return [Finding("kafka", False, str(error))]
    if not differences:
        return [Finding("kafka", True, f"{section.bootstrap_servers}: the topics are as the monitor needs them")]
    return [
        Finding(f"kafka {topic}", False, f"{what} is {have}, required {required}", remedy)
        for topic, what, have, required, remedy in differences
    ]


async def pagers(settings: Settings, *, page: bool) -> list[Finding]:
    """Check that a channel is configured; with ``page`` also that each accepts a test page."""
    configured = channels(settings.notifier, settings.network.proxy_url)
    found = []
    key = settings.notifier.pagerduty.routing_key
    if key is not None and not ROUTING_KEY.fullmatch(key.get_secret_value().strip()):
        remedy = "copy the integration key of an Events API v2 integration"
        found.append(Finding("pagerduty", False, "the routing key is not 32 letters and digits", remedy))
    if not configured:
        found.append(
            Finding("pages", not page, "nobody is paged", "set notifier.pagerduty.routing_key_file or another")
        )
    for channel in configured:
        found.append(await _test(channel) if page else Finding(channel.name, True, "set up; --page sends a test"))
        await channel.close()
    return found


async def _test(channel: Channel) -> Finding:
    """Open an incident that is marked as a test, and resolve it."""
    name = f"{TEST}long-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    try:
        async with asyncio.timeout(PAGE_S):
            opened = await channel.deliver(Page("trigger", name, "info"))
            taken = opened and await channel.deliver(Page("resolve", name, "info"))
    except TimeoutError:
        tries = ", ".join(f"{count} x {reason}" for reason, count in channel.failures.items() if count)
        return Finding(
            channel.name,
            False,
            f"no page was accepted within {PAGE_S:.0f} s ({tries})",
            "check network, proxy and address",
        )
    if not taken:
        return Finding(channel.name, False, "refuses pages (the log has its answer)", "check its key and address")
    return Finding(channel.name, True, f"accepted the test page {name} and its resolution")
