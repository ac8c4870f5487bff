from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.main import cli
from monitor.collect.recording import BadLine, read_file
from monitor.model.lines import RawFrame
from monitor.model.schema import CONTRACTS

ARGUMENTS = ["simulate", "--seed", "3", "--days", "0.2", "--assets", "2", "--out"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    result = CliRunner().invoke(cli, [*ARGUMENTS, str(out)])
    assert result.exit_code == 0, result.output
    assert "cascades" in result.stdout
    assert "\x1b" not in result.stdout
    return out


def test_the_same_seed_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    """All three files, whatever the directory and the time; with --quiet nothing is printed."""
    result = CliRunner().invoke(cli, [*ARGUMENTS, str(tmp_path), "--quiet"])
    assert (result.exit_code, result.output) == (0, "")
    names = {"events.jsonl.gz", "truth.jsonl", "truth_minutes.csv.gz"}
    assert {path.name for path in written.iterdir()} == names
    for name in names:
        assert (written / name).read_bytes() == (tmp_path / name).read_bytes()


def test_events_are_a_recording_by_the_contract(written: Path) -> None:
    """`replay` can read every line, and one of each type holds against its contract model."""
    items = list(read_file(written / "events.jsonl.gz"))
    assert items
    assert not [item for item in items if isinstance(item, BadLine | RawFrame)]
    with gzip.open(written / "events.jsonl.gz", "rt") as lines:
        by_type = {record["type"]: record for record in map(json.loads, lines)}
    assert {"liquidation", "mark_price", "open_interest", "trade_bar", "volatility_index"} <= set(by_type)
    for name, record in by_type.items():
        CONTRACTS[name].model_validate(record)


def test_truth_begins_with_the_world(written: Path) -> None:
    """The first line names seed, settings and assets; the others are of the documented types."""
    first, *others = (json.loads(line) for line in (written / "truth.jsonl").read_text().splitlines())
    assert (first["type"], first["seed"], first["days"]) == ("world", 3, 0.2)
    assert [facts["asset"] for facts in first["assets"]] == ["BTC", "ETH"]
    assert {other["type"] for other in others} <= {"event", "near_miss", "decoy"}


def test_true_minutes_add_up_to_the_worlds_sums(written: Path) -> None:
    """True minutes add up to the world's sums, to the cent."""
    first = json.loads((written / "truth.jsonl").read_text().splitlines()[0])
    with gzip.open(written / "truth_minutes.csv.gz", "rt") as rows:
        header, *minutes = (row.rstrip("\n").split(",") for row in rows)
    assert header == ["minute_us", "asset", "side", "orders", "forced_usd"]
    sums: dict[tuple[str, str], int] = {}
    for _, asset, side, _, usd in minutes:
        sums[asset, side] = sums.get((asset, side), 0) + round(float(usd) * 100)
    expected = {
        (facts["asset"], side): round(usd * 100)
        for facts in first["assets"]
        for side, usd in facts["forced_usd"].items()
        if usd
    }
    assert sums == expected
