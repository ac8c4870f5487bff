"""All exchanges lost amid a cascade: nothing looks calm, and nothing is decided that nobody saw."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from pathlib import Path

from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import SHORT
from monitor.roles.all import monitoring
from tests.e2e.stage import WARMUP_S, scrape, value
from tests.waiting import patient, until
from tests.web import get


async def test_feeds_lost_in_a_cascade_leave_it_as_it_was(tmp_path: Path) -> None:
    """Metrics, readiness and dashboard show at once that nothing is seen; the cascade goes on, without a relief."""
    async with Arena(SHORT, 1, warmup_s=WARMUP_S) as arena:
        detector = Detector(DETECTOR)
        detector.apply(list(arena.history()))
        settings = demo_settings(arena, tmp_path, None)
        delivery = settings.delivery.model_copy(update={"page": True})
        async with monitoring(settings.model_copy(update={"delivery": delivery}), detector) as monitor:
            await asyncio.wait_for(arena.watched(), patient(20))
            playing = asyncio.create_task(arena.play())
            await until(lambda: detector.signals_by_phase["cascade"] > 0)
            playing.cancel()
            await arena.__aexit__(None, None, None)

            async def is_blind() -> bool:
                return value(await scrape(monitor.url), "visibility_state", state="blind") == 1

            await until(is_blind, every_s=0.1)
            await until(lambda: monitor.bus.waiting == 0)
            decided, sent = detector.second, dict(detector.signals_by_phase)
            since = value(await scrape(monitor.url), "visibility_since_timestamp_seconds")
            ready = await get(f"{monitor.url}/readyz")
            state = json.loads((await get(f"{monitor.url}/state.json")).text)
            for _ in range(3):  # what the clock alone would decide
                await monitor.decider.decide([])
            assert detector.second == decided
            assert detector.signals_by_phase == sent
            phases = {each.name: each.leading().phase for each in detector.monitored()}
    assert sent["relief"] == 0
    assert "cascade" in phases.values()
    assert decided - 2 <= since <= decided + 2
    assert ready.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "NOT READY visibility: blind: 0 of 3 exchanges connected" in ready.text
    assert (state["visibility"]["state"], state["visibility"]["connected"]) == ("blind", 0)
