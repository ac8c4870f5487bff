"""Alerts reach who they should: routing, grouping and inhibition as Alertmanager itself sees them."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.deploy.test_rules import ALERTS
from tests.deploy.tools import ALERTMANAGER, said, tool

CONFIG = ALERTMANAGER / "alertmanager.yml"


def content() -> dict[str, Any]:
    """The configuration."""
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return loaded


def test_the_configuration_is_read() -> None:
    """`amtool check-config`."""
    assert "SUCCESS" in said(tool("amtool", "prometheus-alertmanager"), "check-config", CONFIG)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_severity_decides_who_is_told(rule: dict[str, Any]) -> None:
    """Critical and error page, warnings become tickets, the watchdog goes to the outside service."""
    severity = rule["labels"]["severity"]
    receiver = {"critical": "pager", "error": "pager", "warning": "tickets", "none": "deadman"}[severity]
    said(
        tool("amtool", "prometheus-alertmanager"),
        "config",
        "routes",
        "test",
        f"--config.file={CONFIG}",
        f"--verify.receivers={receiver}",
        f"alertname={rule['alert']}",
        f"severity={severity}",
        "venue=okx",
    )


def test_an_episode_is_one_incident() -> None:
    """Grouping labels decide the incident: alert, exchange, asset and side are among them."""
    assert {"alertname", "venue", "asset", "direction"} <= set(content()["route"]["group_by"])


def test_inhibition_names_alerts_that_exist() -> None:
    """A rule for an alert that is gone would inhibit nothing."""
    names = {rule["alert"] for rule in ALERTS}
    for rule in content()["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            label, _, value = matcher.partition("=")
            if label == "alertname":
                for name in value.strip('~"').split("|"):
                    assert any(known.startswith(name.removesuffix(".*")) for known in names), name


def inhibited_by(source: str) -> set[str]:
    """Return the alerts that an alert of this name inhibits, whatever its other labels."""
    found = set()
    for rule in content()["inhibit_rules"]:
        sources = [
            each.removeprefix("alertname").strip('=~"') for each in rule["source_matchers"] if "alertname" in each
        ]
        if any(re.fullmatch(pattern, source) for pattern in sources):
            for target in rule["target_matchers"]:
                pattern = target.removeprefix("alertname").strip('=~"')
                found |= {alert["alert"] for alert in ALERTS if re.fullmatch(pattern, alert["alert"])}
    return found


def test_late_signals_are_one_incident() -> None:
    """The fastest burn inhibits the slower ones, and a known cause of lateness all of them."""
    assert inhibited_by("DecisionsSlowFast") == {"DecisionsSlow", "DecisionsSlowSteady"}
    assert inhibited_by("DecisionsSlow") == {"DecisionsSlowSteady"}
    everything = {"DecisionsSlowFast", "DecisionsSlow", "DecisionsSlowSteady"}
    for cause in ("AllFeedsDown", "DetectorStalled", "ConsumerLagHigh", "BusStalled", "EventLoopLate", "TargetDown"):
        assert inhibited_by(cause) >= everything, cause


def test_keys_are_files() -> None:
    """No key or secret address stands in the configuration."""
    for receiver in content()["receivers"]:
        for kind in ("pagerduty_configs", "webhook_configs"):
            for way in receiver.get(kind, []):
                assert {"routing_key_file", "url_file"} & way.keys()
                assert not {"routing_key", "url"} & way.keys()
