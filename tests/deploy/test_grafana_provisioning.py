"""Grafana finds its data source, dashboards and rules, and pages nothing that Alertmanager pages as well."""

from __future__ import annotations

from typing import Any, Final

import pytest
import yaml

from tests.deploy.dashboards import DASHBOARDS, grafana_rules, panels
from tests.deploy.test_rules import ALERTS
from tests.paths import ROOT

PROVISIONING: Final = ROOT / "deploy" / "grafana" / "provisioning"


def read(name: str) -> dict[str, Any]:
    """One of the files."""
    loaded: dict[str, Any] = yaml.safe_load((PROVISIONING / name).read_text())
    assert loaded["apiVersion"] == 1
    return loaded


RULES: Final = grafana_rules()


def test_the_rules_ask_the_data_source_that_is_provisioned() -> None:
    """By its fixed uid."""
    (source,) = read("datasources/prometheus.yml")["datasources"]
    assert {rule["data"][0]["datasourceUid"] for rule in RULES} == {source["uid"]}


def test_nothing_is_paged_twice() -> None:
    """Prometheus has an Alertmanager, so all rules of Grafana's are paused."""
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert "alerting" in prometheus
    assert all(rule["isPaused"] for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["title"])
def test_a_rule_queries_reduces_and_compares(rule: dict[str, Any]) -> None:
    """Its nodes follow each other, what happens without data is said, and it leads to a panel and a known runbook."""
    query, reduced, compared = rule["data"]
    assert rule["condition"] == compared["refId"]
    assert (reduced["model"]["type"], reduced["model"]["expression"]) == ("reduce", query["refId"])
    assert (compared["model"]["type"], compared["model"]["expression"]) == ("threshold", reduced["refId"])
    assert {"noDataState", "execErrState", "for"} <= rule.keys()
    twin = next(alert for alert in ALERTS if alert["alert"] == rule["title"])
    assert rule["annotations"]["runbook_url"] == twin["annotations"]["runbook_url"]
    assert rule["labels"]["severity"] == twin["labels"]["severity"]
    board = DASHBOARDS[rule["annotations"]["__dashboardUid__"]]
    assert int(rule["annotations"]["__panelId__"]) in {panel["id"] for panel in panels(board)}


def test_the_policy_leads_to_a_contact_point_whose_key_is_a_file() -> None:
    """No key stands in the configuration."""
    (point,) = read("alerting/contact-points.yml")["contactPoints"]
    (policy,) = read("alerting/policies.yml")["policies"]
    assert policy["receiver"] == point["name"]
    assert point["receivers"][0]["settings"]["integrationKey"].startswith("$__file{")
