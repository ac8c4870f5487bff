"""Every socket of every exchange cut three times amid a cascade."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial
from pathlib import Path

from monitor.bus.topics import MARKET_TOPICS
from monitor.detect.detector import Detector
from monitor.lab.demo.story import DETECTOR, demo_settings
from monitor.lab.simulate.arena import Arena
from monitor.lab.simulate.scenario import SHORT
from monitor.model.events import MICROS, Gap, micro_usd
from monitor.roles.all import Monitor, monitoring
from tests.e2e.stage import books, counted, scrape, settled, value
from tests.waiting import patient, until

DROPS_S = (2.5, 4.0, 7.0)
"""When to cut, seconds of the storyline: the cascade runs from 2 to about 9."""


def stated(monitor: Monitor, gaps: int) -> bool:
    """Return whether every exchange's sockets have stated so many gaps."""
    fleets = [venue.fleet for venue in monitor.collecting.collector.stats()]
    return all(fleet is not None and fleet.total.gaps >= gaps for fleet in fleets)


async def test_what_was_delivered_is_counted_and_the_rest_is_a_gap(tmp_path: Path) -> None:
    """The counts are what the exchanges delivered, to the micro-dollar; a gap on each venue covers each cut."""
    async with Arena(SHORT, 3) as arena:
        settings = demo_settings(arena, tmp_path, None)
        async with monitoring(settings, Detector(DETECTOR)) as monitor:
            everything = monitor.bus.subscriber(MARKET_TOPICS)
            await asyncio.wait_for(arena.watched(), patient(20))
            playing = asyncio.create_task(arena.play())
            cut_us = []
            for cuts, at_s in enumerate(DROPS_S):
                await asyncio.sleep(at_s - arena.progress.elapsed_s)
                await until(partial(stated, monitor, cuts))  # else two cuts may be one gap
                await asyncio.wait_for(arena.watched(), patient(60))
                cut_us.append(time.time_ns() // 1_000)
                assert arena.drop_all() == 3
            await playing
            metrics = await settled(monitor.url, time.time())
            records = [record for batch in await everything.poll(0) for record in batch.records]
            delivered, shown = (books(arena, of) for of in (lambda one: one.delivered, lambda one: one.shown))
            view = monitor.detector.view()
            final = await scrape(monitor.url)
    assert counted(metrics, arena.exchanges) == delivered
    assert sum(delivered.values()) < sum(shown.values())
    for index, side in enumerate(("long", "short")):
        total = sum(amount for (_, its_side), amount in delivered.items() if its_side == side)
        assert micro_usd(view.liquidated_usd[index]) == total
    gaps = [record for record in records if isinstance(record, Gap) and record.channel == "liquidations"]
    assert Counter(gap.venue for gap in gaps) == dict.fromkeys(arena.exchanges, len(DROPS_S))
    for venue in arena.exchanges:
        own = sorted((gap for gap in gaps if gap.venue == venue), key=lambda gap: gap.from_us)
        for gap, at_us in zip(own, cut_us, strict=True):
            # What was on its way is still read after the cut; marks come at least once a second before it.
            assert abs(gap.from_us - at_us) < 1.5 * MICROS
            assert at_us < gap.to_us
        assert value(metrics, "feed_reconnects_total", venue=venue, reason="closed") == len(DROPS_S)
        seconds = sum(gap.to_us - gap.from_us for gap in own) / MICROS
        assert abs(value(final, "feed_gap_seconds_total", venue=venue) - seconds) < 1e-6
