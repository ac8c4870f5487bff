from __future__ import annotations

from pathlib import Path

import pytest

from monitor.lab.evaluate.markets.truth import market_labels, parse_truth, read_truth
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS
from tests.lab.evaluate.tapes import START, label

EVENT = (
    b'{"type":"event","asset":"BTC","direction":"long","severity":2,"kind":"flash","onset_us":10,"flow_onset_us":12,"met_us":15,"peak_us":20,'
    b'"extreme_us":30,"end_us":40,"drawdown_pct":5.5,"endogenous_pct":3.0,"forced_usd":1e6,"more":"ignored"}'
)
WORLD = b'{"type":"world","seed":1,"assets":[{"asset":"BTC"},{"asset":"ETH"}]}'


def test_truth_files_are_read(tmp_path: Path) -> None:
    """Cascades, near-misses and decoys become labels; the header does not."""
    near = EVENT.replace(b'"event"', b'"near_miss"').replace(b'"onset_us":10', b'"onset_us":5')
    whale = b'{"type":"decoy","kind":"whale","asset":"ETH","onset_us":7,"end_us":8,"direction":"short"}'
    path = tmp_path / "truth.jsonl"
    path.write_bytes(b"\n".join((WORLD, EVENT, near, whale)))
    labels = read_truth(path)
    assert [(one.type, one.asset, one.kind) for one in labels] == [
        ("near_miss", "BTC", "flash"),
        ("decoy", "ETH", "whale"),
        ("event", "BTC", "flash"),
    ]
    assert [one.is_sought for one in labels] == [False, False, True]
    assert (labels[-1].severity, labels[-1].forced_usd, labels[-1].endogenous_pct) == (2, 1e6, 3.0)
    assert (labels[-1].flow_onset_us, labels[-1].met_us) == (12, 15)


def test_a_decoy_of_everything_is_one_of_each_asset_and_side() -> None:
    """An outage is a decoy of each asset and side."""
    outage = b'{"type":"decoy","kind":"outage","asset":"*","venue":"x","onset_us":7,"end_us":8,"size":1}'
    decoys = parse_truth([WORLD, outage], "t")
    assert [(one.asset, one.direction) for one in decoys] == [
        ("BTC", "long"),
        ("BTC", "short"),
        ("ETH", "long"),
        ("ETH", "short"),
    ]


@pytest.mark.parametrize("line", [b"{}", b'{"type":"event"}', b'{"type":"other"}', b"no json"])
def test_a_line_that_is_no_truth_is_named(line: bytes) -> None:
    """The error names the file and the line."""
    with pytest.raises(OperatorError, match=r"^t:2: not a line of a truth file"):
        parse_truth([WORLD, line], "t")


def test_a_market_wide_episode_needs_a_leader_or_breadth() -> None:
    """A leader or two of five assets make a market-wide episode; one small coin does not."""
    alone = [label(0, 600, asset="SOL")]
    assert market_labels(alone, 5) == []
    (leader,) = market_labels([label(0, 600, asset="ETH"), label(300, 900, asset="SOL", severity=3)], 5)
    assert (leader.asset, leader.severity, leader.kind) == ("MARKET", 3, "2 assets")
    assert (leader.onset_us, leader.end_us) == (START * MICROS, (START + 900) * MICROS)
    (two,) = market_labels([*alone, label(600, 900, asset="XRP")], 5)
    assert (two.onset_us, two.end_us) == ((START + 600) * MICROS, (START + 900) * MICROS)
    assert market_labels([*alone, label(601, 900, asset="XRP")], 5) == []
    assert market_labels([*alone, label(0, 900, asset="XRP", direction="short")], 5) == []
