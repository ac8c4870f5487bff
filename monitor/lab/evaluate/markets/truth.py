"""Reads what really happened: labelled episodes from a truth file, and the market-wide episodes among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from monitor.model.errors import OperatorError
from monitor.model.events import ALL, MARKET, SIDES, Side

Truth = Literal["event", "candidate", "near_miss", "hard_negative", "decoy"]
SOUGHT_TYPES: Final = frozenset({"event", "candidate"})
"""Types of labels in which a detector should raise an alert."""

LEADERS: Final = frozenset({"BTC", "ETH"})
MARKET_SHARE: Final = 0.4
"""Share of assets (0 to 1) in an event at the same time that makes it the market's; a leader alone does too."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One episode of one side of one asset.

    Attributes:
        type: ``event``; ``candidate`` where the price leg holds and no other leg could be tested and confirm it;
            ``near_miss``; ``hard_negative``, a fall without forced flow; ``decoy``, forced flow without a fall.
        asset: canonical base asset, or ``MARKET``.
        direction: side whose positions were liquidated.
        onset_us: first second of it; on simulated markets by what forced orders did to the price, else by their flow.
        flow_onset_us: first second by the flow of forced orders (``monitor.lab.onset``); None where it is not known.
        met_us: end of the first ten seconds in which the exact rule held; None where it is not known.
        peak_us: end of the worst minute of forced flow.
        extreme_us: time of the price's low (longs) or high (shorts).
        end_us: time from which on less than 2 % of the forced flow was still to come.
        severity: 1 to 3; 0 for what is no event.
        kind: the simulator's name of it, such as ``flash`` or ``grind``.
        drawdown_pct: depth, percent, positive.
        endogenous_pct: part of the depth that forced orders made, percent; None where it is not known.
        forced_usd: notional that was closed by force, USD.
        untested: legs of the rule that this recording cannot test.
    """

    type: Truth
    asset: str
    direction: Side
    onset_us: int
    peak_us: int
    extreme_us: int
    end_us: int
    severity: int = 0
    kind: str = ""
    drawdown_pct: float = 0.0
    endogenous_pct: float | None = None
    forced_usd: float = 0.0
    untested: tuple[str, ...] = ()
    met_us: int | None = None
    flow_onset_us: int | None = None

    @property
    def is_sought(self) -> bool:
        """Return True if a detector should raise an alert in this episode."""
        return self.type in SOUGHT_TYPES


class _Named(msgspec.Struct):
    """An asset in the header of a truth file."""

    asset: str


class _World(msgspec.Struct, tag_field="type", tag="world"):
    """The header of a truth file."""

    assets: list[_Named]


class _Decoy(msgspec.Struct, tag_field="type", tag="decoy"):
    """A decoy in a truth file."""

    kind: str
    asset: str
    onset_us: int
    end_us: int
    direction: Side | None = None


class _Episode(msgspec.Struct, tag_field="type", tag="event"):
    """A cascade in a truth file."""

    asset: str
    direction: Side
    onset_us: int
    peak_us: int
    extreme_us: int
    end_us: int
    severity: int
    kind: str
    drawdown_pct: float
    forced_usd: float
    endogenous_pct: float | None = None
    met_us: int | None = None
    flow_onset_us: int | None = None


class _NearMiss(_Episode, tag_field="type", tag="near_miss"):
    """A near-miss in a truth file."""


_LINE: Final = msgspec.json.Decoder(_World | _Decoy | _Episode | _NearMiss)


def read_truth(path: Path) -> list[Label]:
    """Return the labels of a truth file, by onset. Raises ``OperatorError`` with the line that cannot be read."""
    return parse_truth(path.read_bytes().splitlines(), str(path))


def parse_truth(lines: Iterable[bytes], name: str) -> list[Label]:
    """Return the labels in the lines of a truth file, by onset.

    The line of type ``world`` names the assets. A decoy without a side counts for both sides, one of all assets for
    each.
    """
    labels: list[Label] = []
    assets: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            found = _LINE.decode(line)
        except msgspec.MsgspecError as error:
            raise OperatorError(
                f"{name}:{number}: not a line of a truth file: {error}; docs/simulator.md has the format"
            ) from None
        if isinstance(found, _World):
            assets = [asset.asset for asset in found.assets]
        elif isinstance(found, _Decoy):
            labels += _decoys(found, assets)
        else:
            kind: Truth = "near_miss" if isinstance(found, _NearMiss) else "event"
            labels.append(Label(type=kind, **msgspec.structs.asdict(found)))
    return sort_labels(labels)


def _decoys(found: _Decoy, assets: Sequence[str]) -> list[Label]:
    return [
        Label(
            type="decoy",
            asset=asset,
            direction=side,
            onset_us=found.onset_us,
            peak_us=found.onset_us,
            extreme_us=found.onset_us,
            end_us=found.end_us,
            kind=found.kind,
        )
        for asset in (assets if found.asset == ALL else (found.asset,))
        for side in (SIDES if found.direction is None else (found.direction,))
    ]


def sort_labels(labels: Iterable[Label]) -> list[Label]:
    """Return labels by onset, then asset, side and type, so that their order does not depend on the search."""
    return sorted(labels, key=lambda label: (label.onset_us, label.asset, label.direction, label.type))


def is_market_wide(some: int, assets: int) -> bool:
    """Return True if ``some`` of the assets, at least two, are :data:`MARKET_SHARE` of them or more."""
    return some >= max(2.0, MARKET_SHARE * assets)


def market_labels(labels: Sequence[Label], assets: int) -> list[Label]:
    """Return the market's episodes: times at which a leader or :data:`MARKET_SHARE` of ``assets`` are in an event.

    Overlapping episodes of a side are one; it begins with the first onset that makes it market-wide.
    """
    found = []
    for side in SIDES:
        events = sorted(
            (label for label in labels if label.is_sought and label.direction == side and label.asset != MARKET),
            key=lambda label: label.onset_us,
        )
        for group in _overlapping(events):
            onset_us = _wide_from(group, assets)
            if onset_us is not None:
                found.append(_as_market(group, side, onset_us))
    return sort_labels(found)


def _wide_from(group: Sequence[Label], assets: int) -> int | None:
    """Return the onset that makes overlapping events market-wide: a leader's, or that of the last asset needed."""
    names: set[str] = set()
    for label in group:
        names.add(label.asset)
        if label.asset in LEADERS or is_market_wide(len(names), assets):
            return label.onset_us
    return None


def _overlapping(events: Sequence[Label]) -> list[list[Label]]:
    groups: list[list[Label]] = []
    ends_us = 0
    for label in events:
        if groups and label.onset_us <= ends_us:
            groups[-1].append(label)
            ends_us = max(ends_us, label.end_us)
        else:
            groups.append([label])
            ends_us = label.end_us
    return groups


def _as_market(group: Sequence[Label], side: Side, onset_us: int) -> Label:
    worst = max(group, key=lambda label: (label.forced_usd, label.drawdown_pct))
    return Label(
        type="event",
        asset=MARKET,
        direction=side,
        onset_us=onset_us,
        peak_us=worst.peak_us,
        extreme_us=worst.extreme_us,
        end_us=max(label.end_us for label in group),
        severity=max(label.severity for label in group),
        kind=f"{len({label.asset for label in group})} assets",
        drawdown_pct=worst.drawdown_pct,
        forced_usd=sum(label.forced_usd for label in group),
    )
