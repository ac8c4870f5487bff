"""The page in a real Chromium amid a storm: it updates by itself, in dark and light, by keyboard and for a reader."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.deliver.dashboard.watch import Watched
from tests.waiting import patient

expect.set_options(timeout=patient(10_000))

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; skips, or fails where real parts are required, if it is not installed."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing = "chromium is not installed (Debian: chromium)"
        if os.environ.get("CASCADE_REQUIRE_REAL") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def watched(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A monitor amid a storm."""
    with Watched(tmp_path_factory.mktemp("page")) as running:
        yield running


DRAWN = """() => [...document.querySelectorAll("canvas")].every((canvas) => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.some((value) => value !== 0);
})"""
"""Whether every chart has something on it."""


def opened(browser: Browser, watched: Watched, **options: Any) -> tuple[Page, list[str]]:
    """The page, and everything that went wrong or left for elsewhere."""
    page = browser.new_page(**options)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: None if one.url.startswith((watched.url, "data:")) else wrong.append(one.url))
    page.goto(watched.url + "/")
    return page, wrong


def test_a_cascade_appears_by_itself(browser: Browser, watched: Watched, tmp_path: Path) -> None:
    """The headline, cards, charts, evidence, episodes and feeds show it without a reload, and nothing asks outside."""
    page, wrong = opened(browser, watched, viewport={"width": 1280, "height": 900})
    expect(page.locator("#headline")).to_contain_text("cascade of longs", timeout=patient(40_000))
    expect(page.locator("#market-card h3")).to_contain_text("MARKET")
    expect(page.locator("#market-card .phase")).to_have_text("cascade of longs", timeout=patient(20_000))
    expect(page.locator("#assets .card").first).to_be_visible()
    assert page.locator("#assets .card canvas").count() >= 3
    assert page.evaluate(DRAWN)
    label = page.locator("#market-card .chart").get_attribute("aria-label") or ""
    assert "liquidated" in label
    expect(page.locator("#episodes tr").first).to_contain_text("longs")
    expect(page.locator("#feeds")).to_contain_text("bybit")
    page.locator("#market-card summary").click()
    expect(page.locator("#market-card .why li").first).to_contain_text("points")
    before = page.locator("#clock").text_content()
    expect(page.locator("#clock")).not_to_have_text(before or "", timeout=patient(5_000))
    page.screenshot(path=os.environ.get("CASCADE_SCREENSHOT") or tmp_path / "light.png", full_page=True)
    assert wrong == []
    page.close()


def test_dark_is_dark_and_narrow_fits(browser: Browser, watched: Watched, tmp_path: Path) -> None:
    """The reader's colour scheme is followed, and a telephone needs no sideways scrolling."""
    page, wrong = opened(browser, watched, color_scheme="dark", viewport={"width": 390, "height": 800})
    expect(page.locator("#assets .card").first).to_be_visible(timeout=patient(20_000))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 19, 23)"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 500, "height": 800})
    assert page.evaluate(DRAWN)
    page.screenshot(path=os.environ.get("CASCADE_SCREENSHOT_DARK") or tmp_path / "dark.png", full_page=True)
    assert wrong == []
    page.close()


def test_keyboard_and_reader_find_their_way(browser: Browser, watched: Watched) -> None:
    """Tab reaches the skip link first and every disclosure; regions have names, the headline is announced."""
    page, _ = opened(browser, watched)
    expect(page.locator("#assets .card").first).to_be_visible(timeout=patient(20_000))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.locator("#market-card details").get_attribute("open") is not None
    assert page.locator("#headline").get_attribute("aria-live") == "polite"
    for name in ("The market", "Assets that matter now", "Episodes", "Feeds"):
        expect(page.get_by_role("region", name=name).first).to_be_visible()
    assert page.get_by_role("meter").count() >= 1
    page.close()


def test_a_blind_monitor_is_grey_and_not_calm(browser: Browser, watched: Watched, tmp_path: Path) -> None:
    """With no exchange connected the headline reads that there is no data, and no card has the colour of a phase."""
    page, wrong = opened(browser, watched)
    expect(page.locator("#assets .card").first).to_be_visible(timeout=patient(20_000))

    state = page.evaluate("fetch('state.json').then((answer) => answer.json())")
    state["visibility"] = {"state": "blind", "connected": 0, "expected": 19, "since_us": 1_764_043_920_000_000}
    for asset in state["assets"]:
        asset["phase"] = "calm"
    page.route("**/state.json", lambda route: route.fulfill(json=state))
    headline = page.locator("#headline")
    expect(headline).to_contain_text("No data: 0 of 19 exchanges connected since 11-25 04:12:00 UTC.")
    expect(headline).not_to_contain_text("calm")
    expect(page.locator("#market-card .phase")).to_have_text("last known: calm")
    colours = "getComputedStyle(document.querySelector('#market-card .card')).getPropertyValue('--edge')"
    assert page.evaluate(colours) == page.evaluate("getComputedStyle(document.body).getPropertyValue('--quiet')")
    page.screenshot(path=tmp_path / "blind.png", full_page=True)
    assert wrong == []
    page.close()


def test_a_monitor_that_is_gone_is_said(browser: Browser, watched: Watched) -> None:
    """Old numbers must not pass for new ones."""
    page, _ = opened(browser, watched)
    expect(page.locator("#assets .card").first).to_be_visible(timeout=patient(20_000))
    page.route("**/state.json", lambda route: route.abort())
    expect(page.locator("#trouble")).to_contain_text("what is below is old", timeout=patient(5_000))
    page.close()
