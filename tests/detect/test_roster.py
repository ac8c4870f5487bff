"""The roster of the assets, by itself."""

from __future__ import annotations

import msgspec
import pytest

from monitor.detect.decide.visibility import NO_FEEDS
from monitor.detect.quarantine import LENGTH_S, QuarantinedError
from monitor.detect.roster import Roster
from monitor.detect.scope_state import Wake
from monitor.detect.settings import DetectorSettings
from monitor.model.steps import finished
from tests.detect.scenarios import START, mark
from tests.detect.stored import stored


def roster(*names: str) -> Roster:
    """A roster of assets with a price."""
    made = Roster(DetectorSettings())
    for name in names:
        made.opened(name, START).mark_price(mark(START, 100.0, asset=name))
    return made


def test_an_asset_is_awake_until_its_minute_is_learned() -> None:
    """It is closed in the second of its price and at the minute's end, then it sleeps."""
    made = roster("BTC")
    assert made.wakes() == [Wake.AWAKE]
    for second in range(START, START + 120):
        made.close(second, NO_FEEDS)
    assert made.wakes() == []
    assert made.opened("BTC", START + 120) is made.assets["BTC"]


def test_an_asset_that_was_set_aside_is_reported_calm_and_refused() -> None:
    """Its records are refused until the quarantine ends; the others are not touched."""
    made = roster("BTC", "ETH")
    made.changed.clear()
    made.set_aside("BTC", START, ValueError("fault"))
    assert set(made.assets) == {"ETH"}
    assert [(each.asset, each.price) for each in made.take_summaries()] == [("BTC", None)]
    with pytest.raises(QuarantinedError):
        made.opened("BTC", START + LENGTH_S - 1)
    assert made.opened("BTC", START + LENGTH_S).state.opened == START + LENGTH_S
    assert made.changed == {"BTC": None}


def test_a_step_back_drops_what_was_opened_later() -> None:
    """An asset of the dropped seconds begins anew; one of before stays what it was."""
    made = roster("BTC")
    kept = made.assets["BTC"]
    made.opened("ETH", START + 50)
    late = made.assets["ETH"]
    assert made.step_back(START + 10) == []
    assert made.assets["BTC"] is kept
    assert made.assets["ETH"] is not late
    assert made.assets["ETH"].state.opened == 0


def test_the_last_part_of_a_quarantined_asset_is_not_restored() -> None:
    """It is from before the fault: the asset starts anew once its quarantine ends."""
    made = roster("BTC", "ETH")
    parts = {name: made_part(made, name) for name in made.assets}
    made.set_aside("BTC", START, ValueError("fault"))
    again = Roster(DetectorSettings())
    finished(again.loading(stored(made.state()), parts))
    assert set(again.assets) == {"ETH"}
    assert again.wakes() == made.wakes()


def made_part(made: Roster, name: str) -> bytes:
    """An asset's part of a snapshot."""
    return msgspec.msgpack.encode(made.assets[name].snapshot())
