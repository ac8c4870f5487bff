from __future__ import annotations

from typing import get_args

import pytest

from monitor.bus.memory import MemoryBus
from monitor.collect.pipeline.intake import Intake
from monitor.collect.pipeline.liveness import Liveness
from monitor.collect.pipeline.overload import OverloadSwitch
from monitor.collect.pipeline.reject_limit import RejectGate
from monitor.collect.pipeline.venue_publisher import VenuePublisher
from monitor.collect.quality.feed_health import DOWN_AFTER_S, REMEDY, FeedHealth
from monitor.collect.quality.side_check import SideCheck
from monitor.collect.stats import EndReason, SessionStats
from monitor.model.events import MICROS, Liquidation, MarkPrice, Trade
from tests.collect.exchange import VENUE, LoopbackAdapter, now_us

DOWN_US = round(DOWN_AFTER_S * MICROS)


def watched(keys: frozenset[str]) -> tuple[Intake, FeedHealth, Liveness]:
    """An intake with a feed_health."""
    feed_health = FeedHealth(VENUE, keys)
    venue_publisher = VenuePublisher(
        MemoryBus().publisher(), OverloadSwitch("each", 1.0, VENUE), RejectGate(1.0, 5), now_us
    )
    return (
        Intake(LoopbackAdapter(), venue_publisher, SessionStats(VENUE, "c"), None, feed_health),
        feed_health,
        Liveness(frozenset(), 1.0, 0),
    )


def test_a_new_field_is_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The first frame of a kind is looked at, the next of the kind not before some seconds have passed."""
    intake, feed_health, liveness = watched(frozenset({"trades", "symbol", "mark"}))
    for second in (0, 1, 2, 60):
        intake.take(b'{"trades":[1],"symbol":"X","fee":3}', second * MICROS, liveness)
    intake.take(b'{"mark":5.0,"symbol":"X"}', 1, liveness)
    assert feed_health.stats().drift["unknown_key"] == 2
    assert [finding.detail for finding in feed_health.stats().findings] == ["fee"]
    assert caplog.text.count("format has changed: unknown_key fee") == 1


def test_frames_are_not_looked_at_where_no_keys_are_listed() -> None:
    """An adapter without a list of keys costs nothing and finds nothing."""
    intake, feed_health, liveness = watched(frozenset())
    intake.take(b'{"trades":[1],"symbol":"X","fee":3}', 1, liveness)
    assert feed_health.due_us is None
    assert not feed_health.stats().findings


def test_what_cannot_be_read_is_drift(caplog: pytest.LogCaptureFixture) -> None:
    """A reject that shows a format change is logged once, with a sample of the frame."""
    intake, feed_health, liveness = watched(frozenset())
    for _ in range(3):
        intake.take(b"{garbage", 1, liveness)
    assert feed_health.stats().drift["malformed"] == 3
    assert caplog.text.count("malformed") == 1
    assert "{garbage" in caplog.text


def test_a_suspect_side_is_told_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of the side test's result is logged once."""
    caplog.set_level("INFO")
    feed_health = FeedHealth(VENUE, frozenset())
    verdicts = iter([False, True, True, False, False])
    monkeypatch.setattr(SideCheck, "mark", lambda self, _: setattr(self, "suspect", next(verdicts)))
    for number in range(5):
        feed_health.events([MarkPrice(VENUE, "X", "X", number, number, 1.0)])
    assert caplog.text.count("parsed the wrong way round") == 1
    assert caplog.text.count("agrees with its mark price again") == 1


def test_the_sides_are_judged_by_what_an_intake_brings() -> None:
    """Liquidations and mark prices of a feed reach the test of its sides; trades do not."""
    feed_health = FeedHealth(VENUE, frozenset())
    for second in range(60):
        at = second * MICROS
        feed_health.events(
            [
                MarkPrice(VENUE, "X", "X", at, at, 100.0 - second),
                Liquidation(VENUE, "X", "X", at, at, "long", 1.0, "complete", str(second)),
                Trade(VENUE, "X", "X", at, at, "buy", 1.0, 1.0, 1.0, 1, str(second)),
            ]
        )
    side = feed_health.stats().side
    assert side.agreed >= 3
    assert side.disagreed == 0


@pytest.mark.parametrize("reason", REMEDY)
def test_a_dead_connection_is_told_within_the_minute_with_what_to_check(
    reason: EndReason, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, in words, and again when it is whole; until then the venue is not up."""
    caplog.set_level("INFO")
    feed_health = FeedHealth(VENUE, frozenset())
    assert not feed_health.stats().up, "nothing is claimed before anything is known"
    for second in range(120):
        feed_health.connection("market-0", False, reason, second * MICROS)
        assert bool(feed_health.stats().down) == (second * MICROS >= DOWN_US)
    assert caplog.text.count(REMEDY[reason].format(venue=VENUE)) == 1
    assert [(down.connection, down.reason, down.since_us) for down in feed_health.stats().down] == [
        ("market-0", reason, 0)
    ]
    feed_health.connection("market-0", True, reason, 121 * MICROS)
    assert feed_health.stats().up
    assert not feed_health.stats().down
    assert caplog.text.count("complete again") == 1


def test_a_connection_that_never_was_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    """Also where no socket has ended yet."""
    feed_health = FeedHealth(VENUE, frozenset())
    feed_health.connection("market-0", False, None, 1)
    feed_health.connection("market-0", False, None, 1 + DOWN_US)
    assert "never connected" in caplog.text


def test_a_connection_that_is_planned_no_more_is_forgotten() -> None:
    """Symbols may go, and their sockets with them."""
    feed_health = FeedHealth(VENUE, frozenset())
    for at in (1, 1 + DOWN_US):
        feed_health.connection("market-1", False, "stale", at)
    feed_health.connection("market-0", True, None, 1)
    feed_health.forget({"market-0"})
    assert feed_health.stats().up
    assert not feed_health.stats().down


def test_every_unasked_end_has_a_remedy() -> None:
    """What ends a socket for good is explained; what was planned needs no explanation."""
    assert set(get_args(EndReason)) - set(REMEDY) == {"notice", "rotation", "replan"}


def test_liquidations_that_stop_while_all_else_goes_on_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """As when a path is moved and the rest still comes: after fifty usual pauses, once, and when they are back."""
    caplog.set_level("INFO")
    feed_health = FeedHealth(VENUE, frozenset())

    def liquidated(second: int) -> None:
        at = second * MICROS
        feed_health.events([Liquidation(VENUE, "X", "X", at, at, "long", 1.0, "complete", str(second))])

    feed_health.tick(10**12)
    for second in range(0, 3000, 20):
        liquidated(second)
    for second in range(2980, 6000):
        feed_health.tick(second * MICROS)
        assert feed_health.stats().quiet == (second > 2980 + 50 * 20)
    assert feed_health.stats().last_liquidation_us == 2980 * MICROS
    liquidated(6000)
    assert not feed_health.stats().quiet
    assert caplog.text.count("no liquidation for 1001 s (average interval 20.0 s)") == 1
    assert caplog.text.count("have resumed") == 1


def test_a_venue_that_is_down_is_not_quiet_as_well() -> None:
    """A venue that is down is not reported as quiet too."""
    feed_health = FeedHealth(VENUE, frozenset())
    for second in (0, 1):
        at = second * MICROS
        feed_health.events([Liquidation(VENUE, "X", "X", at, at, "long", 1.0, "complete", str(second))])
    feed_health.connection("market-0", False, "stale", 2 * MICROS)
    feed_health.tick(10_000 * MICROS)
    assert not feed_health.stats().quiet
