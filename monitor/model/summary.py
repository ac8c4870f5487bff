"""Defines the summary of a replay: the last line of ``replay --json`` and of the demo."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from monitor.model.contract import Count, Micros, Score, Spec
from monitor.model.events import Side
from monitor.model.signals import SideTotals


class EpisodeSummary(msgspec.Struct):
    """One episode of a replay. A time is null where the episode did not get so far."""

    episode_id: str
    asset: str
    direction: Side
    started_us: Micros
    cascade_us: Micros | None
    peak_us: Micros | None
    relief_us: Micros | None
    ended_us: Micros | None
    peak_score: Score
    liquidated_usd: SideTotals
    unseen_s: Annotated[Count | UnsetType, Spec("Seconds of it in which nothing could be seen; absent means none.")] = (
        UNSET
    )


class Summary(msgspec.Struct, tag_field="type", tag="summary", kw_only=True):
    """The last line of `replay --json`."""

    events: Count
    liquidations: Annotated[Count, Spec("Liquidation records among the events.")]
    liquidated_usd: SideTotals
    rejected: Annotated[Count, Spec("Lines or frames that could not be read.")]
    unapplied: Annotated[
        Count, Spec("Records that could not be applied, or came while their asset was in quarantine for one.")
    ] = 0
    duplicates: Annotated[Count, Spec("Records whose id had come before; they are not among the liquidations.")] = 0
    first_event_us: Annotated[Micros | None, Spec("Null where there was no event.")]
    last_event_us: Annotated[Micros | None, Spec("Null where there was no event.")]
    elapsed_s: Annotated[float, Spec("Wall time of the replay, seconds.", ge=0)]
    events_per_s: Annotated[float, Spec(ge=0)]
    episodes: list[EpisodeSummary]
    notes: Annotated[list[str], Spec("What the reader of the summary has to know of the input.")] = []
