"""Summary of a run of the detector: the last line of ``replay --json`` and of the demo."""

from __future__ import annotations

from typing import Final

from monitor.detect.detector import Detector
from monitor.model.intake import Intake
from monitor.model.signals import SideTotals
from monitor.model.summary import Summary

AGGREGATED: Final = (
    "hourly liquidation totals are in the windows of 1 h and longer only: short windows know nothing of them, and a "
    "cascade is called from them at the hour's end at the earliest"
)


def summarise(detector: Detector, intake: Intake) -> Summary:
    """Return the summary of all events that a detector has taken."""
    view = detector.view()
    return Summary(
        events=intake.events,
        liquidations=view.liquidations,
        liquidated_usd=SideTotals(*view.liquidated_usd),
        rejected=intake.rejected,
        unapplied=view.faults + view.passed_over,
        duplicates=sum(view.duplicates_by_venue.values()),
        first_event_us=intake.first_us,
        last_event_us=intake.last_us,
        elapsed_s=round(intake.elapsed_s, 6),
        events_per_s=round(intake.events / intake.elapsed_s, 1) if intake.elapsed_s else 0.0,
        episodes=detector.episodes(),
        notes=[AGGREGATED] if any(asset.scope.flow.aggregated for asset in detector.assets.values()) else [],
    )
