"""The whole detector: exact sums, determinism, restart."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.detect.decide.signal import Totals
from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.detector import Detector
from monitor.detect.detector_state import FORMAT, OtherFormatError
from monitor.detect.flow.windows import WINDOWS
from monitor.detect.ingest.applier import LATE_S
from monitor.detect.settings import DetectorSettings, JudgedSettings
from monitor.model.events import (
    MICROS,
    AnyEvent,
    Coverage,
    Gap,
    Heartbeat,
    Liquidation,
    Side,
    TradeBar,
)
from monitor.model.signals import Signal
from tests.budget import examples
from tests.detect.scenarios import (
    BRISK,
    START,
    burst,
    crash,
    encoded,
    in_order,
    interest,
    liquidation,
    mark,
    play,
    trade,
)

VENUES = ("bybit", "okx")


def rows() -> st.SearchStrategy[list[AnyEvent]]:
    """Liquidations in the order of arrival: on time, late, ahead, twice, hourly, of two venues and assets."""
    row = st.tuples(
        st.sampled_from([0, 0, 0, 0, 1, 2]),  # seconds since the one before
        st.sampled_from([0, 0, 0, 1, 3, 59, 400, 4_000, 90_000, -1, -4]),  # how late
        st.integers(0, 10**13),  # micro-USD
        st.sampled_from(["long", "short"]),
        st.sampled_from(VENUES),
        st.sampled_from(["BTC", "SOL"]),
        st.integers(0, 25),  # id: some come twice
        st.sampled_from(["complete", "complete", "latest_per_second", "aggregated"]),
        st.integers(1, 9),
    )

    def build(found: list[tuple[int, int, int, str, str, str, int, str, int]]) -> list[AnyEvent]:
        at, events = START, []
        for ticks, late, micros, side, venue, asset, number, coverage, orders in found:
            at += ticks
            events.append(
                liquidation(
                    at - late,
                    micros / MICROS,
                    "long" if side == "long" else "short",
                    venue,
                    asset,
                    id_=f"{venue}:{asset}:{number}",
                    arrived=at,
                    orders=orders,
                    coverage=_coverage(coverage),
                )
            )
        return list(events)

    return st.lists(row, max_size=40).map(build)


def _coverage(name: str) -> Coverage:
    known: dict[str, Coverage] = {"aggregated": "aggregated", "latest_per_second": "latest_per_second"}
    return known.get(name, "complete")


def unique(events: list[AnyEvent]) -> list[Liquidation]:
    """Each id once, as it came first."""
    first: dict[str, Liquidation] = {}
    for event in events:
        assert isinstance(event, Liquidation)
        first.setdefault(event.id, event)
    return list(first.values())


def inside(event: Liquidation, window: str, now: int) -> bool:
    """Whether a window that ends with the second ``now`` covers an event, by the definition of both."""
    second = event.event_time_us // MICROS
    length = WINDOWS[window]
    bucket = 1 if length <= 900 else 60 if length <= 86_400 else 3_600
    if event.coverage == "aggregated":
        if length < 3_600:
            return False
        second -= 1
    return now // bucket - length // bucket < second // bucket and second <= now


@given(rows())
@hypothesis_settings(max_examples=examples(12, 240))
def test_nothing_is_lost_and_nothing_counted_twice(events: list[AnyEvent]) -> None:
    """Totals and every window by venue and side equal the sum over all events by definition, to the micro-USD."""
    counted = unique(events)
    detector, _ = play(events)
    now = detector.second - 1
    assert detector.applier.liquidations == len(counted)
    assert sum(detector.applier.duplicates.values()) == len(events) - len(counted)
    late = Counter(event.venue for event in counted if (event.receive_time_us - event.event_time_us) // MICROS > LATE_S)
    assert detector.applier.late == late
    sides: tuple[Side, Side] = ("long", "short")
    for name, asset in detector.assets.items():
        mine = [event for event in counted if event.asset == name]
        totals = asset.scope.state.totals
        assert [totals.long, totals.short] == [
            sum(round(event.notional_usd * MICROS) for event in mine if event.side == side) for side in sides
        ]
        if asset.scope.flow.windows.second < now:
            asset.open(now)
        for window in WINDOWS:
            sums = asset.scope.flow.windows.sums(window)
            for venue, lane in asset.scope.flow.sources.items():
                for offset, side in enumerate(sides):
                    expected = sum(
                        round(event.notional_usd * MICROS)
                        for event in mine
                        if event.venue == venue and event.side == side and inside(event, window, now)
                    )
                    assert int(sums[lane + offset]) == expected, (window, venue, side)


@given(rows())
@hypothesis_settings(max_examples=examples(5, 100))
def test_the_market_is_the_sum_of_its_assets(events: list[AnyEvent]) -> None:
    """What assets count the market counts, to the micro-USD."""
    detector, _ = play(events)
    assert detector.market is not None
    totals = [asset.scope.state.totals for asset in detector.assets.values()]
    assert detector.market.scope.state.totals == Totals(
        long=sum(each.long for each in totals),
        short=sum(each.short for each in totals),
        complete=sum(each.complete for each in totals),
    )


def test_a_window_ends_where_it_says() -> None:
    """An order counts in a minute's window for sixty closed seconds and not in the next."""
    detector, _ = play([liquidation(START, 1_000.0)])
    asset = detector.assets["BTC"]
    asset.close(START + 59, NO_FEEDS)
    assert asset.scope.flow.usd("1m", "long") == 1_000.0
    asset.close(START + 60, NO_FEEDS)
    assert asset.scope.flow.usd("1m", "long") == 0.0


def test_a_late_event_lands_in_its_second() -> None:
    """It is in the windows that still cover its event time, in none that has passed, and counted as late."""
    detector, _ = play([mark(START, 100.0), liquidation(START - 40, 1_000.0, arrived=START)])
    flow = detector.assets["BTC"].scope.flow
    assert (flow.usd("30s", "long"), flow.usd("1m", "long")) == (0.0, 1_000.0)
    assert detector.applier.late == {"bybit": 1}


def test_the_same_event_twice_counts_once() -> None:
    """Two sockets, a reconnect or a second collector deliver the same id."""
    once = liquidation(START, 1_000.0, id_="bybit:1")
    detector, _ = play([once, once, liquidation(START + 1, 1_000.0, id_="bybit:1"), trade(START + 1, 5.0)])
    assert detector.assets["BTC"].scope.state.totals == Totals(long=10**9, complete=10**9)
    assert detector.applier.duplicates == {"bybit": 2}


def test_a_trade_twice_counts_once() -> None:
    """The same print from two collectors is one; the same number on another venue is another."""
    first = trade(START, 700.0)
    other = msgspec.structs.replace(first, venue="okx")
    detector, _ = play([first, first, other, liquidation(START, 1.0), liquidation(START, 1.0, venue="okx")])
    assert detector.assets["BTC"].taker_usd("long") == 1_400.0
    assert detector.applier.duplicates == {"bybit": 1}


def test_two_exchanges_add_up() -> None:
    """An asset's sums are over its venues, which stay apart in the view."""
    detector, _ = play([liquidation(START, 1_000.25), liquidation(START, 500.5, "short", "okx")])
    totals = detector.assets["BTC"].scope.flow.by_source("1m")
    assert (totals["bybit"].long, totals["okx"].short) == (1_000.25, 500.5)


def test_a_saturated_minute_is_a_floor_and_says_so() -> None:
    """A venue that shows one order a second shows sixty in a minute; the signal says what share is complete."""
    events = [
        msgspec.structs.replace(event, coverage="latest_per_second") if isinstance(event, Liquidation) else event
        for event in crash()
    ]
    detector, signals = play(events, BRISK)
    worst = max((s for s in signals if s.asset == "BTC"), key=lambda signal: signal.windows["1m"].long)
    assert (worst.windows["1m"].count, worst.windows["1m"].long) == (60, 12_000_000.0)
    assert {signal.coverage.complete_share for signal in signals} == {0.0}
    assert detector.assets["BTC"].coverage_ratio() == 0.0


def test_a_gap_alone_begins_nothing() -> None:
    """A gap makes no asset and no signal."""
    at = START * MICROS
    gap = Gap("bybit", "*", "*", at, at, "liquidations", at - MICROS, at, "disconnect")
    detector, signals = play([gap])
    assert (signals, detector.assets, detector.second) == ([], {}, START + 1)


def gap(second: int, venue: str = "bybit", *, lasted_s: int = 20, backfilled: bool = False) -> Gap:
    """A gap of a venue's liquidations that ended with ``second``."""
    at = second * MICROS
    return Gap(venue, "*", "*", at, at, "liquidations", at - lasted_s * MICROS, at, "restart", backfilled)


def test_signals_show_a_gap_while_it_reaches_into_five_minutes() -> None:
    """The venues are in a gap and the signals degraded for five minutes after it, and decisions stay as they are."""
    plain = play(crash())[1]
    hole = gap(START + 600)
    detector, signals = play(in_order([*crash(), hole, gap(START + 600, "okx")]))
    told = [signal for signal in signals if signal.coverage.venues_in_gap]
    assert told
    for signal in signals:
        shown = hole.to_us < signal.event_time_us < hole.to_us + 300 * MICROS
        assert signal.degraded == shown == (signal.coverage.venues_in_gap == ["bybit", "okx"])
        assert shown == any(note.startswith("gap: feeds with 100% of the flow") for note in signal.notes)
    assert [(one.phase, one.risk_score, one.windows) for one in signals] == [
        (one.phase, one.risk_score, one.windows) for one in plain
    ]
    assert detector.view().gap_ratios["bybit", "24h"] == 20 / 86_400


def test_a_gap_of_half_the_flow_is_named_and_does_not_degrade() -> None:
    """With half of the venues wholly seen the signals name the other half, as they do of a feed that is down."""
    signals = play(in_order([*crash(), gap(START + 600)]))[1]
    shown = [signal for signal in signals if signal.coverage.venues_in_gap == ["bybit"]]
    assert "gap: feeds with 50% of the flow have a gap in the last five minutes" in shown[-1].notes
    assert not shown[-1].degraded


def test_a_backfilled_gap_is_none() -> None:
    """Once all of a gap was fetched the signals are as if there had been none."""
    plain = play(crash())[1]
    signals = play(in_order([*crash(), gap(START + 600), gap(START + 600, backfilled=True)]))[1]
    assert encoded(signals) == encoded(plain)


def test_gaps_and_heartbeats_survive_a_restart() -> None:
    """A restored detector knows the gaps, and when each channel of a venue was last complete."""
    detector = Detector()
    at = START * MICROS + 7
    detector.apply([Heartbeat("okx", "*", "*", at, at, "trades"), gap(START)])
    again = Detector.restore(detector.snapshot())
    assert again.feeds.beats == {"okx": {"trades": at}}
    assert again.feeds.holes.state() == detector.feeds.holes.state() != {}


def test_event_time_stands_in_for_an_unknown_time_of_receipt() -> None:
    """Decoded recordings without a time of receipt are taken in event time."""
    event = msgspec.structs.replace(liquidation(START, 1.0), receive_time_us=0)
    detector = Detector()
    detector.apply([event])
    assert detector.second == START


@given(st.integers(0, 10**6))
@hypothesis_settings(max_examples=examples(2, 20))
def test_the_order_within_a_second_changes_no_sum_and_no_decision(seed: int) -> None:
    """Events of one second in any order give the same signals, apart from the order of assets within the second.

    A venue's mark is its last one of a second, so two marks of one venue in one second keep their order here; arrival
    order is recorded data, so a replay keeps it too.
    """
    events = in_order([*crash(), *burst(START + 601, 119, 90_000.0, asset="SOL"), interest(START, 1.0, 2.0)])
    rng = random.Random(seed)
    shuffled = sorted(events, key=lambda event: (event.receive_time_us // MICROS, rng.random()))
    expected, found = play(events, BRISK)[1], play(shuffled, BRISK)[1]
    assert [encoded([signal]) for signal in sorted(found, key=_key)] == [
        encoded([signal]) for signal in sorted(expected, key=_key)
    ]


def _key(signal: Signal) -> tuple[int, str, str, int]:
    return signal.event_time_us, signal.asset, signal.direction, signal.revision


STORY = in_order(
    [
        *crash(),
        *burst(START + 640, 60, 90_000.0, asset="SOL"),
        trade(START + 650, 1e6),
        trade(START + 660, 1e6),
    ]
)
UNDISTURBED = encoded(play(STORY, BRISK)[1])


@given(st.lists(st.integers(0, len(STORY)), min_size=1, max_size=4))
@hypothesis_settings(max_examples=examples(5, 20))
def test_a_restart_at_any_point_gives_the_same_bytes(cuts: list[int]) -> None:
    """Snapshots between any two events, several of them, leave no trace in the signals."""
    detector, signals, before = Detector(BRISK), [], 0
    for cut in [*sorted(cuts), len(STORY)]:
        signals += detector.apply(STORY[before:cut])
        before = cut
        detector = Detector.restore(detector.snapshot(), BRISK)
    signals += detector.advance(detector.second + 1)
    assert encoded(signals) == UNDISTURBED


def test_a_restored_detector_snapshots_the_same() -> None:
    """Nothing is lost or changed on the way through a snapshot."""
    detector, _ = play(STORY[: len(STORY) // 2], BRISK)
    assert Detector.restore(detector.snapshot(), BRISK).snapshot() == detector.snapshot()


def test_another_format_is_refused() -> None:
    """State that is half understood decides wrongly, so the error names both formats."""
    common, assets = msgspec.msgpack.decode(Detector().snapshot(), type=tuple[bytes, dict[str, bytes]])
    other = msgspec.msgpack.encode({**msgspec.msgpack.decode(common), "format": FORMAT + 1})
    with pytest.raises(ValueError, match=f"format {FORMAT + 1}, but this version reads {FORMAT}"):
        Detector.assemble(other, assets)


@pytest.mark.parametrize("rubbish", [b"", b"\xc1", msgspec.msgpack.encode(7), msgspec.msgpack.encode([b"\x07", {}])])
def test_rubbish_is_no_snapshot(rubbish: bytes) -> None:
    """A file that is something else is refused in words."""
    with pytest.raises(ValueError, match="not a snapshot"):
        Detector.restore(rubbish)


def test_a_snapshot_taken_under_other_windows_restores() -> None:
    """Changed settings do not throw the state away: totals, windows and phases stay, new windows start anew."""
    detector, _ = play([event for event in STORY if event.receive_time_us < (START + 700) * MICROS], BRISK)
    judged = JudgedSettings(
        flow_windows=("30s", "5m"), move_windows=("1h", "4h"), stress_window="1h", pace_window="30s"
    )
    other = Detector.restore(detector.snapshot(), DetectorSettings(judged=judged, phases=BRISK.phases))
    assert other.assets["BTC"].scope.state.totals == detector.assets["BTC"].scope.state.totals
    assert other.assets["BTC"].scope.phases.long.state == detector.assets["BTC"].scope.phases.long.state
    signals = other.apply([event for event in STORY if event.receive_time_us >= (START + 700) * MICROS])
    assert [signal.phase for signal in signals if signal.asset == "BTC"][-1] in {"relief", "calm"}


def test_assets_may_be_judged_without_the_market() -> None:
    """What a market elsewhere needs is handed out once, kept over a restart, and leads to the same signals there."""
    alone, whole = Detector(BRISK, with_market=False), Detector(BRISK)
    alone.apply(STORY)
    alone = Detector.restore(alone.snapshot(), BRISK, with_market=False)
    whole.apply(STORY)
    summaries = alone.take_summaries()
    assert alone.take_summaries() == []
    assert alone.market is None
    assert {summary.asset for summary in summaries} == {"BTC", "SOL"}
    assert whole.market is not None
    micros = [each.micros for summary in summaries for each in summary.liquidations if each.side == "long"]
    assert sum(micros) == whole.market.scope.state.totals.long
    assert [shown.asset for shown in alone.view().assets] == ["BTC", "SOL"]


def test_bars_and_beats_are_taken() -> None:
    """A bar of trades is taker volume; a beat of the liquidation channel says that its venue could be seen."""
    at = START * MICROS
    bar = TradeBar("bybit", "BTCUSDT", "BTC", at, at, 100_000, 100.0, 100.0, 100.0, 100.0, 1.0, 2.0, 100.0, 200.0, 3)
    beat = Heartbeat("okx", "*", "*", at, at, "liquidations")
    detector, _ = play([liquidation(START, 1.0), bar, beat])
    assert detector.assets["BTC"].taker_usd("long") == 200.0
    assert detector.feeds.heartbeats == {"okx": START}


def fields(state: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all fields of a snapshot's part that are named by its Structs."""
    for name, value in state.items():
        yield (*path, name)
        if name in {"state", "scope", "market", "roster", "applier", "feeds", "context", "quarantine"} and isinstance(
            value, dict
        ):
            yield from fields(value, (*path, name))


def without(packed: bytes, path: tuple[str, ...]) -> bytes:
    """A snapshot's part that lacks one field."""
    state = inner = msgspec.msgpack.decode(packed)
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return msgspec.msgpack.encode(state)


@pytest.mark.parametrize("part", ["common", "asset"])
def test_a_damaged_snapshot_is_refused(part: str) -> None:
    """A snapshot that lacks any field, of the asset or of the rest, is named as damaged, not half used."""
    detector = Detector()
    detector.apply([mark(START, 100.0), liquidation(START, 1_000.0)])
    common, asset = detector.common_state(), detector.asset_state("BTC")
    packed = common if part == "common" else asset
    paths = [path for path in fields(msgspec.msgpack.decode(packed)) if path != ("format",)]
    assert len(paths) > 20
    for path in paths:
        damaged = without(packed, path)
        parts = (damaged, asset) if part == "common" else (common, damaged)
        with pytest.raises(ValueError, match="damaged"):
            Detector.assemble(parts[0], {"BTC": parts[1]})


def test_a_snapshot_of_the_format_before_is_refused() -> None:
    """An older format is recognised by its number, and left to the version that wrote it."""
    older = msgspec.msgpack.encode({"format": 8, "second": START, "market": {"flow": {}}, "awake": []})
    with pytest.raises(OtherFormatError, match="only the version that wrote it can use it"):
        Detector.assemble(older, {})
