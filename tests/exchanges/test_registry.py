"""Tests the lookup of adapters by venue, and that no frame makes an adapter raise an exception."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor.cli.generate.exchanges_page import DOCUMENT, document, main
from monitor.exchanges.adapter import Adapter
from monitor.exchanges.bybit.adapter import Bybit
from monitor.exchanges.facts import facts_of
from monitor.exchanges.messages import Control
from monitor.exchanges.registry import ADAPTERS, adapter_named
from monitor.model.events import Event, Reject
from tests.budget import examples
from tests.exchanges.cases import ALL_CASES, cases_of, compact
from tests.exchanges.dialects import PENDING, dialect_of
from tests.paths import ROOT

KINDS = (Event, Reject, *get_args(Control))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def test_a_venue_is_found_by_its_name() -> None:
    """Every adapter is registered under the venue that its events name."""
    assert all(adapter_named(venue) is adapter and adapter.venue == venue for venue, adapter in ADAPTERS.items())


def test_every_adapter_that_was_written_is_registered() -> None:
    """An adapter without its line in the registry would be watched by nobody."""
    folder = ROOT / "monitor" / "exchanges"
    names = [path.relative_to(ROOT).with_suffix("") for path in folder.glob("*/*.py")]
    modules = [import_module(".".join(name.parts)) for name in names]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    written = {kind for kind in kinds if Adapter in kind.__mro__ and "venue" in vars(kind)}
    missing = sorted(kind.__qualname__ for kind in written - set(ADAPTERS.values()))
    assert missing == [], "add a line for each to ADAPTERS in monitor/exchanges/registry.py"


@pytest.mark.parametrize(("typed", "meant"), [("binance-usmd", "binance-usdm"), ("Bybit", "bybit"), ("okex", "okx")])
def test_a_mistyped_venue_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    """The error for an unknown venue suggests a similar name and lists all venues."""
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        adapter_named(typed)


def test_a_venue_unlike_any_gets_the_list() -> None:
    """Without a similar name the error lists all venues."""
    with pytest.raises(ValueError, match=f"unknown venue 'zzz': the known ones are {', '.join(ADAPTERS)}$"):
        adapter_named("zzz")


@pytest.mark.parametrize("venue", ADAPTERS)
@given(frame=st.binary(max_size=200))
@hypothesis_settings(max_examples=examples(5, 80))  # a venue
def test_any_bytes_give_a_list(venue: str, frame: bytes) -> None:
    """Parsing random bytes raises no exception."""
    messages = ADAPTERS[venue]().parse(frame, 0)
    assert all(isinstance(message, KINDS) for message in messages)


@pytest.mark.parametrize("venue", ADAPTERS)
@given(value=json_values)
@hypothesis_settings(max_examples=examples(5, 80))  # a venue
def test_any_json_gives_a_list(venue: str, value: object) -> None:
    """Parsing any JSON, also with NaN and Infinity, raises no exception."""
    messages = ADAPTERS[venue]().parse(json.dumps(value).encode(), 0)
    assert all(isinstance(message, KINDS) for message in messages)


@given(
    case=st.sampled_from(ALL_CASES),
    at=st.floats(0, 1),
    cut=st.integers(0, 6),
    put=st.binary(max_size=4),
    received=st.sampled_from([0, 1_764_000_000_000_000]),
)
def test_mutilated_frames_give_a_list(case: object, at: float, cut: int, put: bytes, received: int) -> None:
    """Parsing documented frames with a few changed bytes raises no exception."""
    assert isinstance(case, type(ALL_CASES[0]))
    frame = compact(case.frames[0])
    place = int(at * len(frame))
    for message in case.adapter().parse(frame[:place] + put + frame[place + cut :], received):
        assert isinstance(message, KINDS)


@pytest.mark.parametrize("venue", ADAPTERS)
@pytest.mark.parametrize(
    "frame",
    [b"[" * 100_000, b'{"data":' * 50_000, b'{"topic":"x","data":' + b"9" * 1_000_000 + b"}", b"\x00" * 10_000_000],
    ids=["deep", "deeper", "digits", "10 MB"],
)
def test_monstrous_frames_are_rejected(venue: str, frame: bytes) -> None:
    """Deep nesting, very long numbers and megabytes of spaces give one reject with a short sample."""
    messages = ADAPTERS[venue]().parse(frame, 0)
    assert [type(message) for message in messages] == [Reject]
    assert all(len(message.sample) <= 2048 for message in messages if isinstance(message, Reject))


@pytest.mark.parametrize("venue", ADAPTERS)
def test_an_adapter_has_frames_and_a_dialect(venue: str) -> None:
    """Every adapter has hand-written frames and a simulated server for the conformance suite."""
    assert cases_of(venue), f"write frames into tests/exchanges/frames/{venue}/"
    if ADAPTERS[venue].closed:
        return  # nobody speaks there any more
    if venue in PENDING:
        pytest.skip("its dialect is still to be written")
    module = ROOT / "tests" / "exchanges" / "dialects" / f"{venue.replace('-', '_')}.py"
    assert module.exists(), f"write the simulated server {module.relative_to(ROOT)}"
    assert dialect_of(venue).venue == venue
    assert set(dialect_of(venue).symbols) <= set(dialect_of(venue).instruments)


@pytest.mark.parametrize("venue", ADAPTERS)
def test_an_adapter_is_documented(venue: str) -> None:
    """The folder of every adapter has the facts for ``docs/exchanges.md``."""
    facts = facts_of(ADAPTERS[venue])
    assert bool(facts.long_liquidated) == bool(facts.price) == bool(ADAPTERS[venue].eras)
    assert facts.examples


def test_missing_facts_are_named() -> None:
    """The error for an adapter without facts names the file to add them to."""

    class Unknown(Bybit):
        venue = "unknown"
        __module__ = Bybit.__module__

    with pytest.raises(LookupError, match=r"monitor/exchanges/bybit/facts.py has no facts of 'unknown'"):
        facts_of(Unknown)


def test_the_page_of_exchanges_is_up_to_date() -> None:
    """``docs/exchanges.md`` is up to date with the adapters."""
    assert DOCUMENT.read_text() == document(), "run make generate"


def test_the_page_of_exchanges_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command writes ``docs/exchanges.md``."""
    monkeypatch.chdir(tmp_path)
    DOCUMENT.parent.mkdir()
    main()
    assert DOCUMENT.read_text() == document()
