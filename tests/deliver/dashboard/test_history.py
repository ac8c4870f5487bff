"""Charts hold what was liquidated second by second, of the assets that matter, and no more."""

from __future__ import annotations

from monitor.deliver.dashboard.history import History, Point
from monitor.detect.asset import Asset
from monitor.detect.decide.signal import Totals
from monitor.detect.market import Market
from monitor.detect.overview import Monitored
from monitor.detect.settings import DetectorSettings
from monitor.model.events import MARKET, MICROS

T0 = 1_764_000_000
SETTINGS = DetectorSettings()


def asset(name: str, long_usd: int = 0) -> Asset:
    """An asset that has lost so much."""
    made = Asset(name, SETTINGS)
    made.scope.state.totals = Totals(long=long_usd * MICROS)
    return made


def test_a_point_is_what_was_liquidated_since_the_last() -> None:
    """The first second of an asset is nothing, whatever was before; then differences, by side."""
    history, btc = History(), asset("BTC", 500)
    history.sample(T0, [btc])
    btc.scope.state.totals = Totals(long=507 * MICROS, short=3 * MICROS)
    history.sample(T0 + 1, [btc])
    assert history.points("BTC") == (Point(T0, 0.0, None, 0.0, 0.0), Point(T0 + 1, 0.0, None, 7.0, 3.0))


def test_old_points_leave() -> None:
    """The chart has a length."""
    history = History(seconds=3)
    for second in range(5):
        history.sample(T0 + second, [asset("BTC")])
    assert [point.second - T0 for point in history.points("BTC")] == [2, 3, 4]


def test_the_market_comes_first_then_what_was_hit_most() -> None:
    """Of more assets than are charted those with the least are left out; all calm and without risk here."""
    monitored: list[Monitored] = [asset("ETH", 2), Market(SETTINGS), asset("DOGE"), asset("BTC", 9)]
    assert [each.name for each in History(charted=3).chosen(monitored)] == [MARKET, "BTC", "ETH"]


def test_an_asset_that_no_longer_matters_is_forgotten() -> None:
    """And begins anew when it is back."""
    history, btc, eth = History(charted=1), asset("BTC", 1), asset("ETH")
    history.sample(T0, [btc, eth])
    eth.scope.state.totals = Totals(long=2 * MICROS)
    history.sample(T0 + 1, [btc, eth])
    assert history.points("BTC") == ()
    assert [point.second for point in history.points("ETH")] == [T0 + 1]
