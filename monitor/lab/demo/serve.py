"""Serves the simulated exchanges alone, on fixed ports, for collectors in other processes."""

from __future__ import annotations

from typing import Final

import uvloop

from monitor.deliver import logs
from monitor.lab.demo.story import SEED
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import DEMO, Scenario

PORT: Final = 9201
"""Port of the first exchange in ``DIALECTS``; the others follow."""
ROUNDS: Final = 400
"""Repetitions of the scenario, ten hours of it; its pushes add up to zero, so the price stays in range."""


def run(host: str, port: int = PORT, scenario: Scenario = DEMO, rounds: int = ROUNDS) -> int:
    """Play the scenario again and again, and return the exit status 0.

    Args:
        host: address to listen on.
        port: port of the first exchange.
        scenario: scenario to play.
        rounds: number of repetitions.

    Raises:
        OSError: the address is not available.
    """
    logs.configure("warning", "console")
    uvloop.run(_serve(host, port, Scenario(scenario.name, scenario.phases * rounds)))
    return 0


async def _serve(host: str, port: int, scenario: Scenario) -> None:
    async with Arena(scenario, SEED, host=host, port=port) as arena:
        await arena.play()
