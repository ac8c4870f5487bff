"""Measures from an exchange's frame to an accepted page: one process, a loopback exchange, a loopback Events API."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from monitor.detect.detector import Detector
from monitor.lab.bench.latency import Delay, Delays
from monitor.lab.demo.story import DETECTOR, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import SHORT, Scenario
from monitor.model.events import MARKET, MICROS
from monitor.roles.all import monitoring
from monitor.settings.notifier import NotifierSettings

WARMUP_S: Final = 900


class EventsApi(ThreadingHTTPServer):
    """Accepts every event and notes its delay, ms since the end of the market second of its signal."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Accept)
        self.delays_ms: dict[bool, list[float]] = {True: [], False: []}  # True: the market's pages
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def note(self, event: dict[str, Any]) -> None:
        """Note the delay of an event that opens an incident."""
        if event["event_action"] == "trigger":
            signal = event["payload"]["custom_details"]
            late_ms = 1e3 * (time.time() - signal["event_time_us"] / MICROS)
            self.delays_ms[signal["asset"] == MARKET].append(late_ms)


class _Accept(BaseHTTPRequestHandler):
    server: EventsApi

    def do_POST(self) -> None:
        """Accept an event."""
        self.server.note(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def group(rounds: int, scenario: Scenario = SHORT) -> Delays:
    """Play the scenario once a round, each with a seed of its own, and measure every page."""
    with EventsApi() as api:
        frames, seconds = 0, 0.0
        for seed in range(1, rounds + 1):
            played, took_s = asyncio.run(_play(api, scenario, seed))
            frames, seconds = frames + played, seconds + took_s
    rate = round(frames / seconds)
    row = Delay(rate, rate, sorted(api.delays_ms[False]), sorted(api.delays_ms[True]))
    notes = (
        "ms from the end of the market second that a page's signal decides to the page's acceptance",
        "included: the wait for the second to close, the decision, one POST after the other",
        "a frame waits up to a second more, for its second's end",
        f"{rounds} rounds of the scenario {scenario.name!r}: exchanges, monitor and stand-in share this machine",
    )
    return Delays("from the socket to an accepted page", [row], notes)


async def _play(api: EventsApi, scenario: Scenario, seed: int) -> tuple[int, float]:
    """Return the frames read and the seconds taken by one round."""
    notifier = {"pagerduty": {"routing_key": "bench", "url": f"http://127.0.0.1:{api.server_address[1]}/"}}
    paging = NotifierSettings.model_validate(notifier | {"state_file": None})
    with tempfile.TemporaryDirectory() as folder:
        async with Arena(scenario, seed, warmup_s=WARMUP_S) as arena:
            detector = Detector(DETECTOR)
            detector.apply(arena.history())
            settings = demo_settings(arena, Path(folder), None).model_copy(update={"notifier": paging})
            async with monitoring(settings, detector) as monitor:
                await arena.watched()
                began = time.perf_counter()
                await arena.play()
                await asyncio.sleep(2.0)  # the last second is decided and paged
                venues = monitor.collecting.collector.stats()
                return sum(v.fleet.total.frames for v in venues if v.fleet), time.perf_counter() - began
