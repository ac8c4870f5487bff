"""The program killed amid a cascade, and what its successor knows."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

from monitor.cascade.detector import Detector
from monitor.demo.story import DETECTOR
from monitor.events import micro_usd
from monitor.simulate.arena import Arena
from monitor.simulate.scenario import Phase, Scenario
from tests.e2e.stage import WARMUP_S, Program, counted, learn, lines, settled, until, value, write_config

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
            await asyncio.wait_for(arena.watched(), 20)
            playing = asyncio.create_task(arena.play())
            await until(lambda: any(one["phase"] == "cascade" for one in told()))
            assert await program.stop(signal.SIGKILL) == -signal.SIGKILL
            before = told()
            kept = Detector.restore((tmp_path / "detector.state").read_bytes(), DETECTOR).view()
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


async def test_state_that_cannot_be_read_ends_the_start(tmp_path: Path) -> None:
    """A damaged state file is said in one line with the remedy, and is left as it is."""
    async with Arena(LONG_ENOUGH) as arena:
        config = write_config(arena, tmp_path)
        (tmp_path / "detector.state").write_bytes(b"\x93\x01")
        async with Program(config) as program:
            assert await asyncio.to_thread(program.process.wait, 20) == 1
    assert "detector.state: the detector's state cannot be read" in program.log
    assert "move the file away to start anew" in program.log
    assert "Traceback" not in program.log
    assert (tmp_path / "detector.state").read_bytes() == b"\x93\x01"
