from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from monitor.cli.main import cli
from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate import keep
from monitor.lab.evaluate.examine import Plan
from monitor.lab.evaluate.markets.cases import Converted, Recorded, Simulated, Source
from monitor.model.errors import OperatorError
from tests.lab.evaluate.test_command import TRUTH, market

PLAN = Plan(DetectorSettings().model_dump_json())
SEED = Simulated(1, 2.0, 3)


@dataclass
class Run:
    """One run of the command over recordings: its standard output, and its messages."""

    printed: str
    said: str


def evaluate(folder: Path, kept: Path, *arguments: str) -> Run:
    command = ["evaluate", "--json", "--jobs", "1", "--recordings", folder, "--keep", kept, *arguments]
    done = CliRunner().invoke(cli, [str(one) for one in command])
    assert done.exit_code == 0, done.output
    return Run(done.stdout, done.stderr)


def key(source: Source = SEED, plan: Plan = PLAN) -> str:
    return keep.result_file(Path("kept"), source, plan).key


def test_a_run_that_is_kept_is_printed_anew_byte_for_byte(tmp_path: Path) -> None:
    """Kept results give the same bytes, parts that were run apart are combined, and charts need a run."""
    pytest.importorskip("matplotlib")
    one, both, kept = tmp_path / "one", tmp_path / "both", tmp_path / "kept"
    one.mkdir()
    market(one, "first.jsonl")
    shutil.copytree(one, both)
    once = evaluate(one, kept)
    assert "kept" not in once.said
    again = evaluate(one, kept)
    assert (again.printed, "1 of 1 markets are read" in again.said) == (once.printed, True)
    market(both, "second.jsonl", truth=False)
    assert "1 of 2 markets are read" in evaluate(both, kept).said
    assert "2 of 2 markets are read" in evaluate(both, kept).said
    assert len(list(kept.iterdir())) == 2
    charted = evaluate(one, kept, "--plots", str(tmp_path / "plots"))
    assert (charted.printed, "kept" in charted.said) == (once.printed, False)


def test_what_the_result_depends_on_is_in_the_key(tmp_path: Path) -> None:
    """The key depends on market, settings and options, and not on where charts go or files lie."""
    changed = DetectorSettings.model_validate({"phases": {"cascade_score": 61}}).model_dump_json()
    plans = [
        PLAN,
        msgspec.structs.replace(PLAN, settings=changed),
        msgspec.structs.replace(PLAN, trigger="building"),
        msgspec.structs.replace(PLAN, matrix="events"),
        msgspec.structs.replace(PLAN, matrix="whole"),
        msgspec.structs.replace(PLAN, matrix="losses"),
        msgspec.structs.replace(PLAN, rules=False),
    ]
    seeds = [Simulated(2, 2.0, 3), Simulated(1, 3.0, 3), Simulated(1, 2.0, 4), Simulated(1, 2.0, 3, 2.0)]
    keys = [*(key(plan=plan) for plan in plans), *(key(source) for source in seeds)]
    assert len(set(keys)) == len(keys)
    assert key(plan=msgspec.structs.replace(PLAN, plots=tmp_path)) == key()
    assert keep.result_file(tmp_path, SEED, PLAN).path.name == f"seed-1-{key()[:16]}.json"


def test_files_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    """One byte more in the events, the truth, the converter or a set's tables makes another market."""
    events = market(tmp_path)
    truth = tmp_path / "fall.truth.jsonl"
    table, script = tmp_path / "calm" / "price.csv.gz", tmp_path / "to_events.py"
    table.parent.mkdir()
    table.touch()
    script.touch()
    recorded, converted = Recorded("fall", (events,), truth), Converted("calm", tmp_path)
    for source, paths in ((recorded, (events, truth)), (converted, (table, script))):
        for path in paths:
            before = key(source)
            assert key(source) == before
            with path.open("ab") as file:
                file.write(b"\n")
            assert key(source) != before
    assert key(Recorded("fall", (events,), None)) != key(recorded)
    lone = tmp_path / "aave_btc.csv.gz"
    lone.touch()
    before = key(Converted("aave", tmp_path))
    lone.write_bytes(b"x")
    assert key(Converted("aave", tmp_path)) != before


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """A file that is no result of this market is refused by name with the remedy."""
    slot = keep.result_file(tmp_path, SEED, PLAN)
    slot.path.write_text("{}")
    with pytest.raises(OperatorError, match=r"seed-1-.*json is not a result of evaluate .* remove it"):
        slot.find()
    source = Recorded("fall", (market(tmp_path),), tmp_path / "fall.truth.jsonl")
    mine = keep.result_file(tmp_path, source, PLAN)
    keep.examine_and_keep(source, PLAN, mine)
    mine.path.rename(slot.path)
    with pytest.raises(OperatorError, match="is the result of another market"):
        slot.find()
    assert json.loads(slot.path.read_bytes())["examined"]["labels"][0]["kind"] == TRUTH["kind"]


def test_what_changed_during_a_run_is_not_kept_under_its_old_name(tmp_path: Path) -> None:
    """A result whose input changed during the run is not stored."""
    source = Recorded("fall", (market(tmp_path),))
    before = keep.result_file(tmp_path / "kept", source, PLAN)
    with source.files[0].open("ab") as file:
        file.write(b"\n")
    with pytest.raises(OperatorError, match="fall or the program changed during the run"):
        keep.examine_and_keep(source, PLAN, before)
    assert before.find() is None


def test_all_code_that_decides_is_in_the_key() -> None:
    """The key covers all modules that examining a market loads, except those that cannot change a result."""
    code = (
        "import sys, monitor.lab.evaluate.examine; print(*(name for name in sys.modules if name.startswith('monitor')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    hashed = {
        ".".join(path.relative_to(keep.ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        for part in keep.DETECTS + keep.SIMULATES + keep.READS
        for path in keep.sources(part)
    }
    others = ("monitor.bus", "monitor.settings", "monitor.storage")
    plain = {
        "monitor",
        "monitor.cli",
        "monitor.deliver",
        "monitor.deliver.terminal",
        "monitor.lab",
        "monitor.lab.evaluate",
        "monitor.lab.simulate",
        "monitor.detect.summary",
    }
    assert {name for name in loaded if not name.startswith(others)} - hashed <= plain
    reporting = ("monitor.lab.evaluate.measures", "monitor.lab.evaluate.report", "monitor.lab.evaluate.tables")
    assert not [name for name in loaded if name.startswith(reporting)]
    assert len(keep.code_hash(keep.DETECTS)) == 64
