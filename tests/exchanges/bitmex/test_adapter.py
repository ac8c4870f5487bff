"""Tests of BitMEX, of which only recordings are read."""

from __future__ import annotations

import pytest

from monitor.exchanges.bitmex.adapter import Bitmex
from monitor.exchanges.rest_requests import RestRequest
from monitor.settings.tree import Settings


def test_nothing_is_dialled() -> None:
    """A closed exchange has no sockets and no instruments."""
    assert Bitmex().connections(["XBTUSD"], ["trades", "liquidations"]) == []
    with pytest.raises(ValueError, match="closed on 2026-09-23"):
        Bitmex().parse_instruments(b"[]", RestRequest("/"))


def test_the_settings_refuse_it_and_say_what_is_left() -> None:
    """BitMEX is not among the default venues, and a setting that names it gives an error with the remedy."""
    assert "bitmex" not in Settings().venues
    with pytest.raises(ValueError, match=r"bitmex closed on 2026-09-23.*replay and decode.*remove it"):
        Settings.model_validate({"venues": {"bitmex": {}}})
