"""Open interest compared with trades."""

from __future__ import annotations

from monitor.detect.context.open_interest import OpenInterest
from monitor.detect.context.turnover import Turnover, implied_ratio
from tests.detect.stored import stored


def test_open_interest_cannot_change_by_more_than_was_traded() -> None:
    """A venue that says so is suspect; one that was not watched for fifteen minutes running is not."""
    interest, turnover = OpenInterest(), Turnover()
    for minute in range(16):
        for venue in ("true", "false", "new"):
            coins = 90.0 if minute == 15 and venue != "true" else 100.0
            interest.add(venue, "X", 60 * minute, coins, 10.0 * coins)
        turnover.minute(minute, {"true": 1_000_000, "false": 1_000_000})
    turnover.minute(15, {"new": 1})
    turnover.judge(interest, 900)
    assert list(turnover.suspects) == ["false"]
    again = Turnover()
    again.load(stored(turnover.state()))
    assert again.suspects == ("false",)
    again.judge(interest, 900)
    assert again.state() == turnover.state()
    turnover.minute(15, {"false": 100_000_000})
    turnover.judge(interest, 900)
    assert not turnover.suspects


def test_nothing_closed_or_reported_has_no_ratio() -> None:
    """What open interest implies is held against what was reported, if there was any of either."""
    assert [implied_ratio(2.0, 1.0), implied_ratio(0.0, 1.0), implied_ratio(1.0, 0.0)] == [2.0, None, None]
