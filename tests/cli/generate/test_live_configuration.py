"""Tests that the configuration for real exchanges names every exchange that can be watched."""

from __future__ import annotations

from itertools import pairwise

import pytest
import yaml

from monitor.cli.generate.live_configuration import LIVE, document
from monitor.exchanges.registry import ADAPTERS
from monitor.settings.load import load
from tests.paths import ROOT

OPEN = {venue for venue, adapter in ADAPTERS.items() if not adapter.closed}


def test_the_committed_file_watches_every_open_exchange() -> None:
    """``configs/live.yaml`` names every open exchange and enables it, and none that closed."""
    settings = load(ROOT / LIVE)
    assert set(settings.venues) == set(settings.enabled_venues) == OPEN, f"{LIVE} is out of date: run make generate"


@pytest.mark.parametrize("venue", sorted(OPEN))
def test_an_exchange_can_be_switched_off(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One environment variable takes a single exchange out of the file's list."""
    monkeypatch.setenv(f"CASCADE_VENUES__{venue.replace('-', '_').upper()}__ENABLED", "false")
    assert set(load(ROOT / LIVE).enabled_venues) == OPEN - {venue}


def test_exchanges_are_grouped_by_coverage() -> None:
    """The groups follow each other from complete coverage to none, and no group is empty or split."""
    ranks = []
    for venue in yaml.safe_load(document())["venues"]:
        eras = ADAPTERS[venue].eras
        ranks.append(2 if not eras else 0 if eras[-1].coverage == "complete" else 1)
    assert set(ranks) == {0, 1, 2}
    assert all(earlier <= later for earlier, later in pairwise(ranks))
