"""Alert rules pass Prometheus' own lint and tests, name metrics that exist, and lead to a runbook."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from typing import Any, Final

import pytest
import yaml

from monitor.deliver.metrics.monitor import MonitorMetrics
from tests.deliver.metrics.test_everything_counted import EVERYTHING
from tests.deploy.tools import PROMETHEUS, said, tool
from tests.paths import ROOT

RULES: Final = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS: Final = sorted((PROMETHEUS / "tests").glob("*.yml"))
SEVERITIES: Final = {"critical", "error", "warning", "none"}


@cache
def rules(kind: str) -> list[dict[str, Any]]:
    """All rules of a kind, ``alert`` or ``record``."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


ALERTS: Final = rules("alert")


def test_lint_has_nothing_to_say() -> None:
    """`promtool check rules` with every lint, which is fatal."""
    said(tool("promtool", "prometheus"), "check", "rules", "--lint=all", "--lint-fatal", *RULES)


def test_the_configuration_is_read() -> None:
    """`promtool check config`, with the rules that it names."""
    said(tool("promtool", "prometheus"), "check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_keep_silent_as_their_tests_say(path: Any) -> None:
    """`promtool test rules`."""
    said(tool("promtool", "prometheus"), "test", "rules", path)


def test_every_alert_is_tested_from_both_sides() -> None:
    """Each has a case in which it fires and one in which it does not; Watchdog cannot keep silent."""
    sides: dict[str, set[bool]] = defaultdict(set)
    for path in TESTS:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case["promql_expr_test"]:
                (alert,) = re.findall(r'alertname="(\w+)"', check["expr"])
                sides[alert].add(bool(check["exp_samples"]))
    names = {rule["alert"] for rule in ALERTS}
    assert sides.keys() == names
    assert {name for name, seen in sides.items() if len(seen) < 2} == {"Watchdog"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_means_and_where_to_read_on(rule: dict[str, Any]) -> None:
    """Severity, summary, description, and a runbook that is there and names the alert."""
    assert rule["labels"]["severity"] in SEVERITIES
    annotations = rule["annotations"]
    assert annotations["summary"]
    assert len(annotations["description"]) > 40
    page = ROOT / "docs" / "runbooks" / annotations["runbook_url"].rpartition("/")[2]
    text = page.read_text()
    assert text.startswith(f"# {rule['alert']}: ")
    assert re.findall(r"^## (.+)$", text, re.M) == ["What it means", "How to check", "What to do"]


def test_runbooks_are_of_alerts_that_exist() -> None:
    """A page whose alert is gone goes too."""
    named = {rule["annotations"]["runbook_url"].rpartition("/")[2] for rule in ALERTS}
    pages = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert pages == named | {"README.md", "cascade.md"}


def test_rules_read_metrics_that_are_exported() -> None:
    """Each name in an expression is a family of ours, or recorded by another rule."""
    text = MonitorMetrics(lambda: EVERYTHING).exposition().decode()
    exported = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    recorded = {rule["record"] for rule in rules("record")}
    for rule in ALERTS + rules("record"):
        expression = re.sub(r'"[^"]*"', "", rule["expr"])
        for name in re.findall(r"[a-z:_]*cascade_[a-z0-9_:]+", expression):
            family = re.sub(r"_(bucket|count|sum)$", "", name)
            assert {name, family} & (exported | recorded), f"{rule}: {name}"
