"""The suite itself: two runs that leave no test out, waits that follow the load, and where the time went."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import budget, prepare, waiting
from tests.deploy.grafana_types import node_modules
from tests.kafka.fetch_kafka import UnavailableError
from tests.paths import ROOT
from tests.spent import CPU, Spent, by_folder

MAKEFILE = (ROOT / "Makefile").read_text()


def recipe(target: str) -> str:
    """Return the lines of a make target."""
    (found,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.M)
    return str(found)


def test_the_two_runs_leave_no_test_out() -> None:
    """What `make test` leaves out runs in `make test-deep`, and both prepare first."""
    assert '-m "not deep"' in recipe("test")
    assert '-m "deep or sampled"' in recipe("test-deep")
    assert "CASCADE_TEST_DEEP=1" in recipe("test-deep")
    assert all("tests.prepare" in recipe(target) for target in ("test", "test-deep"))


def test_ci_runs_both_and_holds_the_coverage_on_demand() -> None:
    """Every change is tested by both runs; on demand they record the coverage, which is held to its floors."""
    parts = re.findall(r"^ *part (.+)$", (ROOT / ".ci" / "run").read_text(), re.M)
    assert parts == ["check", "test COVERAGE=1", "test-deep COVERAGE=1", "coverage", "test", "test-deep"]


def test_a_deep_test_states_its_reason() -> None:
    """Each marker says why the test does not run every day."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text()
        assert len(re.findall(r"mark\.deep\b", text)) == len(re.findall(r"mark\.deep\(\s*\"\w", text)), path


def test_a_sample_is_one_of_all_and_comes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every day one value a turn, all of them after as many turns; in the deep run all at once."""
    monkeypatch.setattr(budget, "DEEP", False)
    assert [budget.sample("abc", turn) for turn in range(4)] == [("a",), ("b",), ("c",), ("a",)]
    assert budget.few("abc", 2) == "ab"
    assert budget.examples(5, 50) == 5
    monkeypatch.setattr(budget, "DEEP", True)
    assert budget.sample("abc", 1) == "abc"
    assert budget.few("abc", 2) == "abc"
    assert budget.examples(5, 50) == 50


@pytest.mark.parametrize(
    ("took_s", "factor"), [(0.1, 1.0), (waiting.REFERENCE_S, 1.5), (4 * waiting.REFERENCE_S, 6.0), (60.0, 10.0)]
)
def test_a_busy_machine_gets_more_patience(took_s: float, factor: float) -> None:
    """The factor grows with the time that a fixed piece of work takes, between 1 and 10."""
    assert waiting.measured(took_s) == factor


async def test_a_wait_ends_with_its_condition_or_its_ceiling() -> None:
    """Both kinds of wait return when the condition holds and raise when it never does."""
    turns = iter(range(10))
    await waiting.until(lambda: next(turns) == 2, every_s=0.001)
    waiting.wait_until(lambda: next(turns) == 5, every_s=0.001)
    with pytest.raises(TimeoutError):
        await waiting.until(lambda: False, within_s=0.001)
    with pytest.raises(TimeoutError, match="still waiting"):
        waiting.wait_until(lambda: False, within_s=0.001)


def test_what_is_missing_is_stated_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that cannot be fetched names the program that is missing, and the preparation goes on."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CASCADE_CACHE", str(tmp_path))
    with pytest.raises(UnavailableError, match="npm is not installed"):
        node_modules()
    assert [prepare.step(part).partition(": ")[0] for part in prepare.fetched()] == [
        "missing, its tests are skipped"
    ] * 2
    assert "chromium (Debian: chromium)" in prepare.absent()


def test_time_is_summed_by_folder() -> None:
    """Set-up, body and tear-down of a folder's tests are added up, the dearest folder first."""

    def report(nodeid: str, duration: float, cpu_s: float) -> pytest.TestReport:
        made = pytest.TestReport(nodeid, (nodeid, None, ""), {}, "passed", None, "call", duration=duration)
        made.user_properties += [(CPU, cpu_s), ("other", 9.0)]
        return made

    reports = [report("tests/a/test_x.py::t", 1.0, 0.5), report("tests/a/test_x.py::t", 2.0, 0.25)]
    reports.append(report("tests/b/c/test_y.py::t[::]", 0.5, 2.0))
    assert by_folder(reports) == [Spent("tests/b", 1, 0.5, 2.0), Spent("tests/a", 1, 3.0, 0.75)]
