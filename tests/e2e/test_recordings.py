"""Real recordings through the command line: what the summary counts, which busy hours it finds, which calm it leaves.

The recordings are no part of the project. They are looked for in ``CASCADE_TEST_DATA`` or beside the repository, and
every test is skipped where they are absent, also where real counterparts are required: most people have none.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from monitor.model.events import MICROS, SIDES, micro_usd
from monitor.model.schema import checked
from monitor.model.summary import EpisodeSummary, Summary
from tests.e2e.stage import replay, without_clock
from tests.paths import ROOT

DATA = Path(os.environ.get("CASCADE_TEST_DATA") or ROOT.parent / "shared" / "data")
ADA_ROW_USD = 19.6e6
"""About what the suspect row of ADAUSDT says, 2023-01-09 00:57."""

pytestmark = [
    pytest.mark.deep("replays up to a week of every market, minutes at a time"),
    pytest.mark.skipif(
        not (DATA / "to_events.py").exists(), reason=f"no recorded market data in {DATA}; set CASCADE_TEST_DATA"
    ),
]


class Played(NamedTuple):
    """A recording's lines and what the replay made of them."""

    events: list[dict[str, Any]]
    done: subprocess.CompletedProcess[bytes]
    summary: Summary


def convert(name: str, path: Path, *span: str) -> Path:
    """A recorded set as event records, by the converter that comes with it."""
    options = [option for flag, at in zip(("--from", "--to"), span, strict=False) for option in (flag, at)]
    with path.open("wb") as output:
        subprocess.run([sys.executable, str(DATA / "to_events.py"), name, *options], stdout=output, check=True)
    return path


def played(path: Path) -> Played:
    """Replay a file."""
    done = replay(path, "--json", cwd=path.parent, traced=False)
    assert done.returncode == 0, done.stderr
    events = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return Played(events, done, checked(Summary, done.stdout.splitlines()[-1]))


def check_sums(played: Played) -> None:
    """Counts and dollar sums by side are the file's, exactly."""
    forced = [event for event in played.events if event["type"] == "liquidation"]
    summary = played.summary
    assert (summary.events, summary.liquidations) == (len(played.events), len(forced))
    assert (summary.rejected, summary.duplicates) == (0, 0)
    assert summary.first_event_us == played.events[0]["event_time_us"]
    assert summary.last_event_us == played.events[-1]["event_time_us"]
    for side in SIDES:
        exact = sum(micro_usd(event["notional_usd"]) for event in forced if event["side"] == side)
        assert exact > 0
        assert micro_usd(getattr(summary.liquidated_usd, side)) == exact


def us(text: str) -> int:
    """Microseconds of a time in UTC."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * MICROS


def begun(episodes: Iterable[EpisodeSummary], start: str, end: str) -> list[EpisodeSummary]:
    """Episodes that began between two times."""
    return [episode for episode in episodes if us(start) <= episode.started_us < us(end)]


def cascades(episodes: Iterable[EpisodeSummary], start: str, end: str) -> list[EpisodeSummary]:
    """Episodes that became a cascade between two times."""
    return [one for one in episodes if one.cascade_us is not None and us(start) <= one.cascade_us < us(end)]


@pytest.fixture(scope="module")
def jan2023(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return played(convert("jan2023_binance", tmp_path_factory.mktemp("jan2023") / "jan2023.jsonl"))


@pytest.mark.xdist_group("jan2023")
def test_jan2023_is_counted_exactly(jan2023: Played) -> None:
    """A week of all markets: nothing is lost, doubled or rounded."""
    check_sums(jan2023)


@pytest.mark.xdist_group("jan2023")
def test_jan2023_busy_hours_show_up(jan2023: Played) -> None:
    """The squeezes of the 8th and 11th are the market's; the fall of the 12th is BTC's and ETH's, the market builds."""
    episodes = jan2023.summary.episodes
    assert "MARKET" in {episode.asset for episode in cascades(episodes, "2023-01-08T20:00", "2023-01-09T00:00")}
    assert "MARKET" in {episode.asset for episode in cascades(episodes, "2023-01-11T23:00", "2023-01-12T00:00")}
    falls = [one for one in cascades(episodes, "2023-01-12T13:00", "2023-01-12T14:00") if one.direction == "long"]
    assert {"BTC", "ETH"} <= {episode.asset for episode in falls}
    assert "MARKET" in {episode.asset for episode in begun(episodes, "2023-01-12T13:00", "2023-01-12T14:00")}


@pytest.mark.xdist_group("jan2023")
@pytest.mark.parametrize("day", ["2023-01-07", "2023-01-10"])
def test_jan2023_quiet_days_do_not_page(jan2023: Played, day: str) -> None:
    """No asset, nor the market, is in a cascade on a quiet day."""
    assert cascades(jan2023.summary.episodes, f"{day}T00:00", f"{day}T23:59:59") == []


@pytest.mark.xdist_group("jan2023")
def test_jan2023_one_suspect_row_is_no_market_wide_cascade(jan2023: Played, tmp_path: Path) -> None:
    """The row of ADAUSDT calls no cascade of the market, neither among all others nor alone with the prices."""

    def near(event: dict[str, Any]) -> bool:
        return us("2023-01-08T12:00") <= int(event["event_time_us"]) < us("2023-01-09T06:00")

    (row,) = [
        one for one in jan2023.events if one["symbol"] == "ADAUSDT" and one.get("notional_usd", 0) > 0.9 * ADA_ROW_USD
    ]
    assert us("2023-01-09T00:57") <= row["event_time_us"] < us("2023-01-09T00:58")
    market = [one for one in jan2023.summary.episodes if one.asset == "MARKET"]
    assert cascades(market, "2023-01-09T00:50", "2023-01-09T02:00") == []
    path = tmp_path / "ada.jsonl"
    alone = [one for one in jan2023.events if one is row or (one["type"] == "mark_price" and near(one))]
    path.write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in alone))
    summary = played(path).summary
    assert summary.liquidations == 1
    assert cascades(summary.episodes, "2023-01-08T12:00", "2023-01-09T12:00") == []
    assert not [one for one in summary.episodes if one.asset == "MARKET"]


def test_two_replays_of_a_busy_night_print_the_same_bytes(tmp_path: Path) -> None:
    """Signals and summary are the same bytes apart from the clock's fields."""
    path = convert("jan2023_binance", tmp_path / "night.jsonl", "2023-01-11T20:00", "2023-01-12T02:00")
    first, second = played(path), played(path)
    assert without_clock(first.done.stdout) == without_clock(second.done.stdout)
    assert b'"phase":"cascade"' in first.done.stdout
    check_sums(first)


def test_dec2024_is_counted_exactly_and_its_fall_is_found(tmp_path: Path) -> None:
    """The fall of 2024-12-05 22:25 lies behind the end of the forced orders: the price alone finds it, and says so."""
    recorded = played(convert("dec2024", tmp_path / "dec.jsonl", "2024-12-03", "2024-12-07"))
    check_sums(recorded)
    longs = [episode for episode in recorded.summary.episodes if episode.direction == "long"]
    found = cascades(longs, "2024-12-03T00:00", "2024-12-07T00:00")
    assert {"BTC", "ETH", "MARKET"} <= {episode.asset for episode in found}
    assert found == cascades(found, "2024-12-05T22:20", "2024-12-05T22:40")
    signals = [orjson.loads(line) for line in recorded.done.stdout.splitlines()[:-1]]
    assert {one["reason"] for one in signals if one["phase"] == "cascade"} == {"price_only"}


def test_aug2024_hourly_totals_find_the_crash(tmp_path: Path) -> None:
    """The crash of 2024-08-05 is found within its hours, not before it, and the output says what it was decided on."""
    recorded = played(convert("aug2024", tmp_path / "aug.jsonl", "2024-08-03T12:00", "2024-08-05T03:00"))
    check_sums(recorded)
    found = cascades(recorded.summary.episodes, "2024-08-05T00:00", "2024-08-05T03:00")
    assert {(asset, "long") for asset in ("BTC", "ETH", "SOL", "MARKET")} <= {
        (one.asset, one.direction) for one in found
    }
    before = cascades(recorded.summary.episodes, "2024-08-03T12:00", "2024-08-04T12:00")
    assert "MARKET" not in {episode.asset for episode in before}
    assert any("hourly liquidation totals" in note for note in recorded.summary.notes)
