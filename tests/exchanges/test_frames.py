"""Every hand-written frame gives the messages of its case, with any layout of its JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitor.exchanges.memory import Memory
from monitor.exchanges.registry import ADAPTERS
from monitor.model.events import SAMPLE_BYTES, Liquidation, Reject, Trade
from tests.exchanges.cases import ALL_CASES, Case, cases_of, compact, plain, reversed_keys, spaced

LAYOUTS = {
    "compact": compact,
    "spaced": spaced,
    "reversed": lambda content: compact(reversed_keys(content)),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: f"{case.venue}-{case.file}-{case.about}")
def test_a_frame_gives_what_stands_beside_it(case: Case, layout: Callable[[Any], bytes]) -> None:
    """Documented frames give the expected messages, also with spaces or with the keys in another order."""
    adapter, memory = case.adapter(), Memory()
    messages = [m for frame in case.frames for m in adapter.parse(layout(frame), case.received_us, memory)]
    missing = list(case.expect)
    unexpected = []
    for message in messages:  # in any order: good rows come before bad ones
        given = plain(message)
        if given in missing:
            missing.remove(given)
        else:
            unexpected.append(message)
    assert (missing, unexpected) == ([], [])


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: f"{case.venue}-{case.file}-{case.about}")
def test_rejects_carry_the_head_of_the_frame_and_say_why(case: Case) -> None:
    """A reject has the venue, the time of receipt, a reason with details and the first bytes of the frame."""
    adapter, memory = case.adapter(), Memory()
    for content in case.frames:
        frame = compact(content)
        for message in adapter.parse(frame, case.received_us, memory):
            if isinstance(message, Reject):
                assert (message.venue, message.receive_time_us) == (case.venue, case.received_us)
                assert message.detail
                assert 0 < len(message.sample) <= SAMPLE_BYTES


@pytest.mark.parametrize("venue", ADAPTERS)
def test_every_adapter_has_frames_of_every_kind(venue: str) -> None:
    """Every adapter has hand-written cases of liquidations (if it has any), trades, control messages and faults."""
    cases = cases_of(venue)
    liquidates = bool(ADAPTERS[venue].eras)
    expected = {"trades", "control", "faults"} | ({"liquidations"} if liquidates else set())
    assert expected <= {case.file for case in cases}, f"write these files into tests/exchanges/frames/{venue}/"
    seen = {
        type(message)
        for case in cases
        for adapter, memory in [(case.adapter(), Memory())]
        for frame in case.frames
        for message in adapter.parse(compact(frame), case.received_us, memory)
    }
    assert {Trade, Reject} <= seen
    assert (Liquidation in seen) is liquidates


@pytest.mark.parametrize("venue", ADAPTERS)
def test_a_second_socket_gives_the_same_ids(venue: str) -> None:
    """The same frame read by another adapter at another time gives events with the same ids."""
    for case in (case for case in cases_of(venue) if case.file == "liquidations"):
        for content in case.frames:
            first = case.adapter().parse(compact(content), case.received_us)
            again = case.adapter().parse(compact(content), case.received_us and case.received_us + 1)
            assert [m.id for m in first if isinstance(m, Liquidation | Trade)] == [
                m.id for m in again if isinstance(m, Liquidation | Trade)
            ]


@pytest.mark.parametrize("venue", ADAPTERS)
def test_ids_of_one_frame_differ(venue: str) -> None:
    """Two events of one frame never have the same id, because identical rows are different orders."""
    for case in cases_of(venue):
        if case.file == "liquidations":
            ids = [m.id for m in case.adapter().parse(compact(case.frames[0]), 0) if isinstance(m, Liquidation)]
            assert len(ids) == len(set(ids))
