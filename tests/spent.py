"""Shows at the end of a run where its time went: seconds and CPU seconds of the tests by folder.

CPU is the worker's own with that of the processes it waited for; a broker counts with the test at whose end it stops.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from collections.abc import Generator, Iterable
from typing import Final, NamedTuple

import pytest

CPU: Final = "cpu_s"
"""Name of the property that carries the CPU seconds from a worker to the report."""
FOLDERS: Final = 2
"""A run of fewer folders than this needs no table."""


class Spent(NamedTuple):
    """What the tests of a folder took."""

    folder: str
    tests: int
    wall_s: float
    cpu_s: float


def cpu_s() -> float:
    """Return the CPU seconds of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


class Clock:
    """Adds to each report the CPU seconds since the one before."""

    def __init__(self) -> None:
        self._last_s = cpu_s()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the CPU seconds of a test's set-up, body or tear-down."""
        report = yield
        now_s = cpu_s()
        report.user_properties.append((CPU, now_s - self._last_s))
        self._last_s = now_s
        return report


def by_folder(reports: Iterable[pytest.TestReport]) -> list[Spent]:
    """Return what the reports' tests took, by the first two parts of their paths, the dearest first."""
    wall: dict[str, float] = defaultdict(float)
    cpu: dict[str, float] = defaultdict(float)
    names: dict[str, set[str]] = defaultdict(set)
    for report in reports:
        folder = "/".join(report.nodeid.partition("::")[0].split("/")[:2])
        wall[folder] += report.duration
        cpu[folder] += sum(float(str(value)) for name, value in report.user_properties if name == CPU)
        names[folder].add(report.nodeid)
    spent = [Spent(folder, len(names[folder]), wall[folder], cpu[folder]) for folder in names]
    return sorted(spent, key=lambda one: -one.cpu_s)


def pytest_configure(config: pytest.Config) -> None:
    """Measure in every process that runs tests."""
    config.pluginmanager.register(Clock())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    reports = [
        report
        for several in terminalreporter.stats.values()
        for report in several
        if isinstance(report, pytest.TestReport)
    ]
    spent = by_folder(reports)
    if len(spent) < FOLDERS:
        return
    terminalreporter.section("where the time went")
    tests, wall_s = sum(one.tests for one in spent), sum(one.wall_s for one in spent)
    for one in (*spent, Spent("together", tests, wall_s, sum(one.cpu_s for one in spent))):
        terminalreporter.write_line(f"{one.folder:24}{one.tests:6} tests{one.wall_s:8.1f} s{one.cpu_s:8.1f} s of CPU")
