"""The simulated exchanges can be reached by other processes at the given addresses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from monitor.lab.demo.serve import run
from monitor.lab.simulate.scenario import Phase, Scenario
from tests.kafka.broker import free_ports


def test_exchanges_listen_on_the_ports_that_follow_each_other() -> None:
    """Bybit, the second, answers REST on the second port while the scenario plays, which then ends well."""
    (port,) = free_ports(1)
    story = Scenario("short", (Phase("calm", 0.5),))
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(run, "127.0.0.1", port, story, 3)
        url = f"http://127.0.0.1:{port + 1}/v5/market/instruments-info"
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(transport=transport, trust_env=False) as client:
            answer = client.get(url, params={"category": "linear"})
        assert answer.json()["result"]["list"]
        assert served.result(20) == 0
