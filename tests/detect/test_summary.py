import msgspec
import pytest

from monitor.detect.detector import Detector
from monitor.detect.summary import AGGREGATED, summarise
from monitor.model.events import AnyEvent, Coverage, Liquidation
from monitor.model.intake import Intake
from monitor.model.schema import checked
from monitor.model.summary import Summary

T0 = 1_790_000_000_000_000


def liquidation(number: int, usd: float, coverage: Coverage = "complete") -> AnyEvent:
    """One dead long."""
    at_us = T0 + number * 1_000_000
    return Liquidation("bybit", "BTCUSDT", "BTC", at_us, at_us, "long", usd, coverage, str(number))


def test_summary_is_the_contracts() -> None:
    """Counts, exact sums, duplicates and the rate come out as the contract's record."""
    detector = Detector()
    detector.apply([liquidation(1, 0.1), liquidation(2, 0.2), liquidation(2, 0.2)])
    made = summarise(detector, Intake(3, 4, T0, T0 + 2_000_000, 0.5))
    read = checked(Summary, msgspec.json.encode(made))
    assert {name: value for name, value in msgspec.to_builtins(read).items() if name != "episodes"} == {
        "type": "summary",
        "events": 3,
        "liquidations": 2,
        "liquidated_usd": {"long": 0.3, "short": 0.0},
        "rejected": 4,
        "unapplied": 0,
        "duplicates": 1,
        "first_event_us": T0,
        "last_event_us": T0 + 2_000_000,
        "elapsed_s": 0.5,
        "events_per_s": 6.0,
        "notes": [],
    }


def test_nothing_has_no_times_and_no_rate() -> None:
    """An input without events gives nulls and zeros, which the contract allows."""
    read = checked(Summary, msgspec.json.encode(summarise(Detector(), Intake())))
    assert (read.events, read.events_per_s, read.first_event_us, read.last_event_us) == (0, 0.0, None, None)
    assert read.episodes == []


@pytest.mark.parametrize(("coverage", "notes"), [("aggregated", [AGGREGATED]), ("sampled", [])])
def test_hourly_totals_are_said(coverage: Coverage, notes: list[str]) -> None:
    """Whoever reads the summary learns that the input knew no short windows."""
    detector = Detector()
    detector.apply([liquidation(1, 5e6, coverage)])
    assert summarise(detector, Intake()).notes == notes
