"""The page's files come out of the package, ask for nothing outside, and its data say what the parts say."""

from __future__ import annotations

import asyncio
import json
import re
from http import HTTPStatus

import pytest

from monitor.collect.fleet_stats import FleetStats
from monitor.deliver.dashboard import site
from monitor.deliver.dashboard.state import Source
from monitor.detect.asset import Asset
from monitor.detect.decide.signal import Totals
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MICROS
from monitor.model.visibility import MonitorVisibility, VisibilityState
from tests.deliver.metrics.test_monitor import fleet
from tests.waiting import until

T0 = 1_764_000_000 * MICROS
ROUTES = site.dashboard_routes(lambda: b"{}")


def source(*assets: Asset, fleets: list[FleetStats] | None = None, seen: MonitorVisibility | None = None) -> Source:
    """A source of these."""
    return Source(lambda: assets, lambda: 1_763_999_999, lambda: fleets or [], lambda: T0, visibility=lambda: seen)


@pytest.mark.parametrize("path", site.FILES)
def test_files_are_served_with_a_policy_that_keeps_them_in(path: str) -> None:
    """Each has its type, and may load from its own server alone."""
    response = ROUTES[path]()
    assert response.status == HTTPStatus.OK
    assert response.content_type.startswith(("text/html", "text/javascript", "text/css"))
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_nothing_on_the_page_points_outside() -> None:
    """No address with a scheme stands in the page's own files."""
    for path in ("/", "/dashboard.js", "/dashboard.css"):
        assert not re.search(rb"https?://|//[a-z]+\.", ROUTES[path]().body)


def test_every_file_that_the_page_names_is_served() -> None:
    """Links and scripts of the document have routes."""
    named = re.findall(r'(?:href|src)="([\w.]+\.(?:js|css))"', ROUTES["/"]().body.decode())
    assert named
    assert {f"/{name}" for name in named} <= ROUTES.keys()


def test_the_state_is_json_of_assets_episodes_and_feeds() -> None:
    """An asset that was never seen has nulls and empty charts; a feed has its counts."""
    state = json.loads(source(Asset("BTC", DetectorSettings()), fleets=[fleet()]).state())
    assert (state["now_us"], state["second"], state["episodes"]) == (T0, 1_763_999_999, [])
    (asset,) = state["assets"]
    assert (asset["asset"], asset["phase"], asset["price"]) == ("BTC", "calm", None)
    assert asset["series"] == {"second": [], "risk": [], "price": [], "long": [], "short": []}
    (feed,) = state["feeds"]
    assert (feed["venue"], feed["connected"], feed["connections"], feed["gap_s"]) == ("bybit", 1, 2, 1.5)


def test_a_blind_monitor_has_its_state_and_no_price() -> None:
    """The state has how many are connected and since when, and the chart has a gap where the price is unknown."""
    asset = Asset("BTC", DetectorSettings())
    second = T0 // MICROS
    asset.scope.price.mark("bybit", second, 100.0)
    asset.scope.price.close(second, learn=False)
    shown = source(asset, seen=MonitorVisibility(VisibilityState.BLIND, 0, 3, T0 - MICROS))
    shown.sample()
    state = json.loads(shown.state())
    assert state["visibility"] == {"state": "blind", "connected": 0, "expected": 3, "since_us": T0 - MICROS}
    assert state["assets"][0]["series"]["price"] == [None]


def test_a_lost_exchange_is_unseen_up_to_now() -> None:
    """The gap that is still open counts from the last data on; that of a connected exchange does not."""
    (up, down) = fleet(), fleet("okx")
    down.total.connected = 0
    down.total.last_message_us = T0 - 20 * MICROS
    feeds = json.loads(source(fleets=[up, down]).state())["feeds"]
    assert [feed["gap_s"] for feed in feeds] == [1.5, 21.5]


def test_charts_are_columns() -> None:
    """Two samples make two rows of five columns."""
    asset = Asset("BTC", DetectorSettings())
    second = T0 // MICROS
    asset.scope.price.mark("bybit", second, 100.0)
    asset.scope.price.close(second, learn=False)
    shown = source(asset)
    shown.sample()
    asset.scope.state.totals = Totals(short=5 * MICROS)
    shown.sample()
    series = json.loads(shown.state())["assets"][0]["series"]
    assert series == {
        "second": [second, second],
        "risk": [0.0, 0.0],
        "price": [100.0, 100.0],
        "long": [0.0, 0.0],
        "short": [0.0, 5.0],
    }


async def test_points_are_taken_as_time_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is cancelled."""
    monkeypatch.setattr(site, "SAMPLE_S", 0.01)
    shown = source(Asset("BTC", DetectorSettings()))
    task = asyncio.create_task(site.sample(shown))
    await until(lambda: len(json.loads(shown.state())["assets"][0]["series"]["second"]) >= 3)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def test_gaps_are_listed_by_exchange() -> None:
    """An exchange with a gap shows the share that each window misses; what misses nothing is left out."""
    ratios = {("bybit", "5m"): 0.0, ("bybit", "1h"): 0.25, ("okx", "5m"): 0.0}
    shown = Source(list, lambda: 0, list, lambda: T0, gap_ratios=lambda: ratios)
    assert json.loads(shown.state())["gaps"] == [{"venue": "bybit", "windows": {"1h": 0.25}}]
