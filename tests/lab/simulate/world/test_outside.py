from __future__ import annotations

import numpy as np
import pytest

from monitor.lab.simulate.world.outside import Shock, lagged, paths, profile, shock_returns, shocks, spells
from monitor.lab.simulate.world.settings import DAY_S, NAMED, WorldSettings


def test_a_shock_brings_its_whole_size() -> None:
    """Half of it in the first third of its time; what lies beyond the end is left out."""
    returns = shock_returns([Shock(10, 60, -0.02), Shock(5_000, 10, 1.0)], 100)
    assert returns.sum() == pytest.approx(-0.02)
    assert returns[10:30].sum() < -0.01
    assert not returns[:10].any()


def test_shocks_have_both_signs_and_a_tail() -> None:
    """Over years: some nine a month and a third as many after them, none below 0.8 % but aftershocks."""
    found = shocks(np.random.default_rng(1), 3_600 * DAY_S, 9.0, 0.0)
    sizes = np.array([shock.size for shock in found])
    assert len(found) / 120 == pytest.approx(9 * 1.3, rel=0.15)
    assert 0.4 < (sizes > 0).mean() < 0.6
    assert np.abs(sizes).max() > 0.05


def test_the_profile_follows_the_hours_of_the_week() -> None:
    """15 UTC is twice as loud as 10 UTC, a weekend at 0.72 of a weekday, and the week's mean square is one."""
    shape = profile(WorldSettings(days=7)).reshape(7, 24, 60)
    assert np.mean(shape**2) == pytest.approx(1)
    assert shape[0, 15].mean() / shape[0, 10].mean() == pytest.approx(1.51 / 0.73, rel=0.05)
    assert shape[5].mean() / shape[0].mean() == pytest.approx(0.72, rel=0.02)


def test_followers_come_three_seconds_behind() -> None:
    """A step of the leader arrives by 63 % after three seconds, and whole."""
    seen = lagged(np.concatenate((np.zeros(10), np.ones(50))))
    assert seen[12] == pytest.approx(0.63, abs=0.01)
    assert seen[-1] == pytest.approx(1)


def test_daily_volatility_is_the_assets() -> None:
    """The median day of a quarter moves by about what its asset's does, and spells are louder."""
    settings = WorldSettings(days=90, decoys=False)
    path = paths(settings, 0, NAMED[0], NAMED[0]).log_price[::300]
    days = np.diff(path, append=path[-1]).reshape(-1, 288)
    assert np.median(np.sqrt((days**2).sum(axis=1))) == pytest.approx(0.024, rel=0.2)
    assert all(1.8 <= spell.factor <= 3 for spell in spells(WorldSettings(days=90)))
