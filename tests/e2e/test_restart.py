"""The program killed amid a cascade, and what its successor knows."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from monitor.detect import detector as detector_module
from monitor.detect.detector import Detector
from monitor.detect.detector_state import FORMAT
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.ledger import by_side
from monitor.lab.simulate.scenario import Phase, Scenario
from monitor.model.events import micro_usd
from monitor.roles import state_file
from monitor.roles.journal import Journal
from monitor.storage.kept_file import read_state
from tests.e2e.stage import WARMUP_S, Program, books, counted, learn, lines, scrape, settled, value, write_config
from tests.logs import faults
from tests.waiting import patient, until

KILLS = 2
"""How often the process is killed."""
CONNECTED = "cascade_feed_connected"
SLACK_US = 1_000_000
"""What was written this long before the last heartbeat may still have been on its way."""
LONG_ENOUGH = Scenario(
    "restart",
    (Phase("calm", 1), Phase("long cascade", 5, push=-0.04, noise=4, activity=4), Phase("aftermath", 9, noise=2)),
)


async def test_killed_amid_a_cascade_it_goes_on_with_the_episode(tmp_path: Path) -> None:
    """After SIGKILL the episode goes on under its id, at a later revision, and the long windows keep their sums."""
    signals = tmp_path / "signals.jsonl"

    def told() -> list[dict[str, Any]]:
        text = signals.read_bytes() if signals.exists() else b""
        return [one for one in lines(text[: text.rfind(b"\n") + 1]) if one["asset"] == "BTC"]

    async with Arena(LONG_ENOUGH, 1, warmup_s=WARMUP_S) as arena:
        learn(arena, tmp_path)
        async with Program(write_config(arena, tmp_path)) as program:
            await asyncio.wait_for(arena.watched(), patient(20))
            playing = asyncio.create_task(arena.play())
            await until(lambda: any(one["phase"] == "cascade" for one in told()))
            assert await program.stop(signal.SIGKILL) == -signal.SIGKILL
            before = told()
            kept = went_on(tmp_path).view()
            program.start()
            url = await program.url()
            await until(lambda: len(told()) > len(before) + 3)
            await playing
            metrics = await settled(url, time.time())
            assert await program.stop() == 0
    episode = [one for one in before if one["phase"] == "cascade"][-1]
    after = [one for one in told()[len(before) :] if one["episode_id"] == episode["episode_id"]]
    assert after, "the episode was forgotten"
    assert after[-1]["revision"] > before[-1]["revision"]
    assert after[-1]["event_time_us"] > before[-1]["event_time_us"]
    assert after[0]["started_us"] == episode["started_us"]
    assert after[-1]["liquidated_usd"]["long"] > 0
    seen = counted(metrics, arena.exchanges)
    for index, side in enumerate(("long", "short")):
        day_usd = value(metrics, "liquidated_usd", asset="MARKET", side=side, window="24h")
        since = sum(amount for (_, its_side), amount in seen.items() if its_side == side)
        assert micro_usd(day_usd) == micro_usd(kept.liquidated_usd[index]) + since
    assert f"restored from {tmp_path / 'detector.state'}" in program.log


def went_on(folder: Path) -> Detector:
    """The detector as the next process finds it: the state with the journal, of which it keeps a copy."""
    with TemporaryDirectory() as copy:
        for kept in folder.glob("detector.state*"):
            shutil.copy(kept, copy)
        path = Path(copy) / "detector.state"
        detector = state_file.load(path, DETECTOR)
        journal = Journal(path)
        journal.restore(detector, read_state(path))
        journal.close()
        return detector


def liquidated(detector: Detector) -> dict[tuple[str, str], int]:
    """Micro-USD of a day by venue and side."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for asset in detector.assets.values():
        for venue, windows in asset.scope.flow.by_source("24h").items():
            found[venue, "long"] += micro_usd(windows.long)
            found[venue, "short"] += micro_usd(windows.short)
    return found


async def connected(program: Program, arena: Arena) -> None:
    """Wait until every exchange is seen and a few seconds of it were decided."""
    url = await program.url()
    async with asyncio.timeout(patient(60)):
        while True:
            metrics = await scrape(url)
            seen = {dict(labels)["venue"] for (name, labels), up in metrics.items() if up and name == CONNECTED}
            if seen == set(arena.exchanges):
                break
            await asyncio.sleep(0.1)
    await settled(url, time.time() + 2)


@pytest.mark.timeout(240)
async def test_every_liquidation_is_in_the_sums_or_in_a_stated_gap(tmp_path: Path) -> None:
    """However often the process is killed, what its sums miss was delivered within a gap that it states."""
    wave = (
        Phase("long cascade", 6, push=-0.01, noise=4, activity=4),
        Phase("squeeze", 6, push=0.01, noise=4, activity=4),
    )
    async with Arena(Scenario("kills", wave * 20), 5, warmup_s=WARMUP_S) as arena:
        learned = liquidated(learn(arena, tmp_path))
        downtimes = []
        async with Program(write_config(arena, tmp_path)) as program:
            await asyncio.wait_for(arena.watched(), patient(30))
            playing = asyncio.create_task(arena.play())
            for _ in range(KILLS):
                await connected(program, arena)
                assert await program.stop(signal.SIGKILL) == -signal.SIGKILL
                killed_us = time.time_ns() // 1_000
                program.start()
                await program.url()
                await asyncio.wait_for(arena.watched(), patient(30))
                downtimes.append((killed_us, time.time_ns() // 1_000))
            await connected(program, arena)
            playing.cancel()
            await settled(await program.url(), time.time())
            assert await program.stop() == 0
        kept = went_on(tmp_path)
        gaps = kept.feeds.holes.state()
        counted = liquidated(kept)
        delivered = books(arena, lambda ledger: ledger.delivered)
        outside: dict[tuple[str, str], int] = {
            (venue, side): amount.micro_usd
            for venue in arena.exchanges
            for side, amount in by_side(
                arena.ledger(venue).delivered_outside([(start - SLACK_US, end) for start, end in gaps[venue]])
            ).items()
        }
    assert faults(program.log) == []
    assert set(gaps) == set(arena.exchanges)
    for key, amount in delivered.items():
        assert outside[key] <= counted[key] - learned[key] <= amount, key
    assert sum(outside.values()) > 0
    for found in gaps.values():
        assert len(found) == KILLS
        for (start, end), (killed_us, back_us) in zip(found, downtimes, strict=True):
            assert killed_us - 5 * SLACK_US < start <= killed_us < end < back_us + 15 * SLACK_US


async def test_state_of_another_version_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State that another version wrote is refused in one line with the remedy, and is left as it is."""
    with monkeypatch.context() as other_version:
        other_version.setattr(detector_module, "FORMAT", FORMAT + 1)
        content = Detector(DETECTOR).snapshot()
    async with Arena(LONG_ENOUGH) as arena:
        config = write_config(arena, tmp_path)
        (tmp_path / "detector.state").write_bytes(content)
        async with Program(config) as program:
            assert await asyncio.to_thread(program.process.wait, patient(60)) == 1
    assert "detector.state: the detector's state cannot be read" in program.log
    assert "move the file away to start anew" in program.log
    assert "Traceback" not in program.log
    assert (tmp_path / "detector.state").read_bytes() == content


async def test_damaged_state_is_set_aside_and_the_monitor_starts(tmp_path: Path) -> None:
    """A damaged state file costs the state and no start: it is kept under another name, and the log has the reason."""
    async with Arena(LONG_ENOUGH) as arena:
        config = write_config(arena, tmp_path)
        (tmp_path / "detector.state").write_bytes(b"\x93\x01")
        async with Program(config) as program:
            assert await program.url()
            assert await program.stop() == 0
    assert "set aside as" in program.log
    assert (tmp_path / "detector.state.unusable").read_bytes() == b"\x93\x01"
