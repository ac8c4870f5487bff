"""The simulated exchanges alone, on fixed ports, for collectors in other processes."""

from __future__ import annotations

from typing import Final

import uvloop

from monitor import logs
from monitor.demo.story import SEED
from monitor.simulate.arena import Arena
from monitor.simulate.scenario import DEMO, Scenario

PORT: Final = 9201
"""Of the first exchange in ``DIALECTS``; the others follow."""
ROUNDS: Final = 400
"""The story's pushes add up to nothing, so the price stays where it is however often it is told; ten hours of it."""


def run(host: str, port: int = PORT, scenario: Scenario = DEMO, rounds: int = ROUNDS) -> int:
    """Play the story again and again before whoever listens.

    Args:
        host: where to listen.
        port: of the first exchange.
        scenario: the storyline.
        rounds: how often it is told.

    Returns:
        The exit status, 0.

    Raises:
        OSError: the address cannot be had.
    """
    logs.configure("warning", "console")
    uvloop.run(_serve(host, port, Scenario(scenario.name, scenario.phases * rounds)))
    return 0


async def _serve(host: str, port: int, scenario: Scenario) -> None:
    async with Arena(scenario, SEED, host=host, port=port) as arena:
        await arena.play()
