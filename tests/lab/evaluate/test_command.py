"""Tests of the command from files to tables, on a hand-made market and on a tiny simulated one."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from monitor.cli.main import cli
from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate.command import examine_all, parse_seeds
from monitor.lab.evaluate.examine import Plan
from monitor.lab.evaluate.markets.cases import Case, Converted, Recorded, Simulated, find_recordings
from monitor.lab.evaluate.markets.tape import AssetSide
from monitor.lab.evaluate.report import Report, config_hash
from monitor.lab.evaluate.tables import print_report
from monitor.model.errors import OperatorError
from monitor.model.events import MICROS, AnyEvent, Liquidation
from tests.lab.evaluate.tapes import START, fall, forced, interest
from tests.waiting import wait_until

FALL = 600
TRUTH = {
    "type": "event",
    "asset": "BTC",
    "direction": "long",
    "severity": 2,
    "kind": "flash",
    "onset_us": (START + FALL + 30) * MICROS,
    "peak_us": (START + FALL + 200) * MICROS,
    "extreme_us": (START + FALL + 300) * MICROS,
    "end_us": (START + FALL + 300) * MICROS,
    "drawdown_pct": 6.0,
    "forced_usd": 1.2e8,
}


def market(folder: Path, name: str = "fall.jsonl", *, truth: bool = True) -> Path:
    """Write ten minutes of calm, then a fall of 6 % with 120 million USD of forced orders in five minutes."""
    prices = [one for one in fall(1, at=FALL, length=300) if one.event_time_us < (START + FALL + 360) * MICROS]
    calm = [one for one in prices if one.event_time_us % (60 * MICROS) == 0]
    flow = [forced(FALL + second, 4_000_000.0) for second in range(0, 300, 10)]
    events: list[AnyEvent] = [*calm, *flow, *(interest(second, 1e7) for second in range(0, FALL + 360, 300))]
    events.sort(key=lambda event: event.event_time_us)
    path = folder / name
    path.write_bytes(msgspec.json.Encoder().encode_lines(events))
    if truth:
        (folder / name.replace(".jsonl", ".truth.jsonl")).write_text(json.dumps(TRUTH))
    return path


def evaluate(*arguments: str | Path, status: int = 0) -> str:
    """Run the command in this process, one market at a time."""
    done = CliRunner().invoke(cli, ["evaluate", "--jobs", "1", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.stdout if status == 0 else done.output


def report(*arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(evaluate("--json", *arguments))
    return found


def test_a_recording_with_its_truth(tmp_path: Path) -> None:
    """The event is found soon, and the output names the settings and the number of configurations tried."""
    path = market(tmp_path)
    found = report(path, "--truth", tmp_path / "fall.truth.jsonl", "--tried", "7")
    assert (found["type"], found["configurations_tried"]) == ("evaluation", 7)
    assert found["config_hash"] == config_hash(DetectorSettings())
    figures, same_recall = found["figures"]
    assert same_recall["name"] == "price drop only, equal recall"
    assert (figures["events"], figures["recall"][0], figures["false_alarms"]) == (1, 1.0, 0)
    assert -60 < figures["delay"][0] < 300
    assert 0 < figures["to_peak"][0] < 230
    (world,) = found["worlds"]
    assert (world["found"], world["market_events"], world["untested"]) == (1, 1, [])
    assert (found["missed"], found["matrix"], found["notes"]) == ([], [], [])


def test_a_folder_of_recordings_labelled_by_the_rule(tmp_path: Path) -> None:
    """Each file is a market, two runs print the same bytes, and tables agree with the JSON."""
    market(tmp_path, "first.jsonl", truth=False)
    market(tmp_path, "second.jsonl")
    once = evaluate("--json", "--recordings", tmp_path)
    assert once == evaluate("--json", "--recordings", tmp_path)
    found = json.loads(once)
    assert [(world["world"], world["events"], world["found"]) for world in found["worlds"]] == [
        ("first", 1, 1),
        ("second", 1, 1),
    ]
    words = evaluate("--recordings", tmp_path)
    assert found["config_hash"] in words
    assert "Thresholds of the baselines from: nothing" in words
    assert "Missed: none" in words


def test_simulated_markets_with_baselines(tmp_path: Path) -> None:
    """Thresholds of all five baselines are set on other seeds; two quiet hours have no event."""
    found = report("--seeds", "1000", "--train", "1", "--days", "0.1", "--assets", "1", "--jobs", "2")
    assert (found["train"], found["test"]) == (["seed 1"], ["seed 1000"])
    names = [figures["name"] for figures in found["figures"]]
    assert names[0] == "this detector"
    assert {name.split(",")[0] for name in names[1:]} == {
        "price drop only",
        "fixed dollars",
        "tiered dollars",
        "24-h z-score",
        "always off",
    }
    assert found["figures"][0]["months"] == pytest.approx(0.1 / 30, rel=0.02)


def test_matrix_plots_and_tables(tmp_path: Path) -> None:
    """Without its only venue the event is missed, duplicated input finds it, and the chart is a picture."""
    pytest.importorskip("matplotlib")
    path = market(tmp_path)
    text = evaluate(
        path,
        "--truth",
        tmp_path / "fall.truth.jsonl",
        "--json",
        "--matrix",
        "whole",
        "--plots",
        tmp_path / "plots",
        "--train",
        "1",
        "--days",
        "0.1",
        "--assets",
        "1",
    )
    degraded = msgspec.json.decode(text, type=Report)
    by_name = {row.name: row.recall.value for row in degraded.matrix}
    assert by_name["nothing degraded"] == by_name["every message twice"] == by_name["open interest 15 min old"] == 1.0
    assert by_name["without okx"] == 0.0
    assert [(row.name, row.recall.value) for row in degraded.matrix_whole] == [
        ("nothing lost", 1.0),
        ("without okx", 0.0),
        ("only throttled feeds", 0.0),
    ]
    assert degraded.printed_of == "the forced orders that feeds showed"
    assert len(degraded.placebos) == 2
    assert degraded.after_spikes is not None
    (chart,) = (tmp_path / "plots").glob("*.png")
    assert chart.name == "fall.jsonl-BTC-long-20231115T001030.png"
    assert chart.read_bytes()[:4] == b"\x89PNG"
    words = io.StringIO()
    print_report(degraded, Console(file=words, width=160))
    for title in ("Recall and false alarms", "Times in seconds", "Robustness", "Placebos", "Calibration", "always off"):
        assert title in words.getvalue()


def test_losses_alone_are_a_shorter_matrix(tmp_path: Path) -> None:
    """``--matrix losses`` has rows for losses only, and the tables leave out what was not run."""
    path = market(tmp_path)
    text = evaluate(path, "--truth", tmp_path / "fall.truth.jsonl", "--json", "--matrix", "losses")
    degraded = msgspec.json.decode(text, type=Report)
    assert [(row.name, row.recall.value) for row in degraded.matrix] == [
        ("nothing degraded", 1.0),
        ("without okx", 0.0),
        ("only throttled feeds", 0.0),
    ]
    words = io.StringIO()
    print_report(degraded, Console(file=words, width=160))
    assert "bad prices" not in words.getvalue()


def test_misses_and_false_alarms_are_listed(tmp_path: Path) -> None:
    """With the truth moved to another asset the alert is false and the event is missed."""
    path = market(tmp_path)
    truth = tmp_path / "fall.truth.jsonl"
    truth.write_text(json.dumps(TRUTH | {"asset": "ETH"}))
    words = evaluate(path, "--truth", truth, "--markdown")
    assert "Missed: 1" in words
    assert "Clean false alarms: 1, 1 of them near another asset's event" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name one of FILE..., --recordings DIR, --seeds A..B"),
        (("--seeds", "1", "--recordings", "."), "name one of"),
        (("--seeds", "1..3", "--train", "3..9"), "seed 3 is both trained and tested on"),
        (("--seeds", "9..1"), "'9..1' names no seeds"),
        (("--seeds", "x"), "invalid literal"),
        (("--seeds", "1", "--truth", __file__), "--truth is for FILE only"),
    ],
)
def test_wrong_usage_names_the_remedy(arguments: tuple[str, ...], words: str) -> None:
    """Wrong usage ends with status 2 and the remedy before anything is computed."""
    assert words in evaluate(*arguments, status=2)


def test_plots_without_matplotlib_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without matplotlib one line names what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    words = evaluate("--seeds", "1", "--plots", tmp_path, status=1)
    assert "pip install 'liquidation-cascade-monitor[plots]'" in words


def test_seeds_are_a_range_or_one() -> None:
    """Both ends of a range of seeds are included."""
    assert list(parse_seeds("1000..1002")) == [1000, 1001, 1002]
    assert list(parse_seeds("7")) == [7]


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    """A folder without recordings is an error, and so is a file without events."""
    assert "has neither" in evaluate("--recordings", tmp_path, status=1)
    (tmp_path / "empty.jsonl").touch()
    assert "empty: no events to evaluate" in evaluate("--recordings", tmp_path, status=1)


def test_a_folder_with_a_converter_is_read_through_it(tmp_path: Path) -> None:
    """A converter's sets are its folders of tables, and a converter that fails is an error."""
    (tmp_path / "calm").mkdir()
    (tmp_path / "calm" / "price.csv.gz").touch()
    (tmp_path / "aave_btc.csv.gz").touch()
    (tmp_path / "README.md").touch()
    market(tmp_path, "calm.jsonl", truth=False)
    script = (
        "import sys, pathlib; sys.stdout.write((pathlib.Path(__file__).parent / f'{sys.argv[1]}.jsonl').read_text())"
    )
    (tmp_path / "to_events.py").write_text(script)
    sources = find_recordings(tmp_path)
    assert sources == [Converted("aave", tmp_path), Converted("calm", tmp_path)]
    assert len(sources[1].load().events) == len(Recorded("calm", (tmp_path / "calm.jsonl",)).load().events)
    assert "failed with status 1" in evaluate("--recordings", tmp_path, status=1)


def test_a_simulated_market_has_its_truth() -> None:
    """A simulated market comes with labels, and its events are in the order of arrival."""
    case = Simulated(3, 0.1, 2).load()
    assert case.labels is not None
    assert case.name == "seed 3"
    shown = [event for event in case.events if isinstance(event, Liquidation)]
    assert case.forced is not None
    assert sum(len(forced.times) for forced in case.forced.values()) > len(shown) > 0
    for event in shown:
        forced = case.forced[AssetSide(event.asset, event.side)]
        assert forced.usd(event.event_time_us, event.event_time_us + 1) >= event.notional_usd
    arrivals = [event.receive_time_us for event in case.events]
    assert arrivals == sorted(arrivals)


class Deadly(Recorded, frozen=True):
    """A market whose process is killed while it loads."""

    def load(self) -> Case:
        """Never returns."""
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def test_a_killed_process_is_one_line_with_the_remedy() -> None:
    """A killed process gives one line with the remedy instead of a traceback."""
    markets = [(Deadly(name, (), None), Plan("{}")) for name in ("one", "other")]
    with pytest.raises(OperatorError, match=r"was killed, .* less than --jobs 2; --keep DIR"):
        examine_all(markets, 2, None, Console(file=io.StringIO()))


class Endless(Recorded, frozen=True):
    """A market that sends its process id and never ends loading."""

    def load(self) -> Case:
        """Never returns."""
        (self.files[0] / f"{os.getpid()}").touch()
        time.sleep(600)
        raise AssertionError


def _examine_endlessly(folder: Path) -> None:
    markets = [(Endless(name, (folder,), None), Plan("{}")) for name in ("one", "other")]
    examine_all(markets, 2, None, Console(file=io.StringIO()))


def _lives(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to see processes in")
def test_no_process_outlives_a_killed_evaluation(tmp_path: Path) -> None:
    """The processes of the pool exit when the evaluation is killed."""
    evaluation = get_context("spawn").Process(target=_examine_endlessly, args=(tmp_path,))
    evaluation.start()
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        at_work = [int(path.name) for path in tmp_path.iterdir()]
    finally:
        evaluation.kill()
        evaluation.join()
    wait_until(lambda: not any(map(_lives, at_work)))
