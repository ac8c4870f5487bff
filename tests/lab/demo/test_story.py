from pathlib import Path

from monitor.exchanges.registry import ADAPTERS
from monitor.lab.demo.story import DETECTOR, WARMUP_S, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import CALM


async def test_settings_dial_the_arena_and_leave_nothing(tmp_path: Path) -> None:
    """Every simulated venue is watched at its address; no state and no record is kept, and the port is a free one."""
    async with Arena(CALM) as arena:
        settings = demo_settings(arena, tmp_path, "-")
        assert settings.enabled_venues.keys() == set(arena.exchanges) <= set(ADAPTERS)
        for venue, exchange in arena.exchanges.items():
            watched = settings.venues[venue]
            assert (watched.ws_url, watched.rest_url) == (exchange.ws_url, exchange.rest_url)
            assert "liquidations" in watched.channels
    delivery = settings.delivery
    assert (delivery.port, delivery.state_file, delivery.signals_output) == (0, None, "-")
    assert (settings.collector.instruments_cache, settings.collector.record_path) == (tmp_path, None)
    assert settings.detector == DETECTOR


def test_warm_up_is_long_enough_for_the_detector() -> None:
    """The demo's warm-up is as long as the detector needs, so that no signal is marked as warm-up."""
    assert 3600 * DETECTOR.baseline.warmup_hours <= WARMUP_S
