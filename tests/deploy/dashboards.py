"""The committed dashboards, their panels, and their expressions as Prometheus can be asked them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

import yaml

from tests.paths import ROOT

FOLDER: Final = ROOT / "deploy" / "grafana" / "dashboards"
DASHBOARDS: Final[dict[str, dict[str, Any]]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}
VARIABLES: Final = {"$asset": "BTC", "$venue": ".*", "$window": "1m", "$__rate_interval": "10s"}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels that show something, without the rows' headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def filled(expression: str) -> str:
    """An expression with its variables replaced."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


@cache
def grafana_rules() -> list[dict[str, Any]]:
    """Grafana's own rules."""
    path = ROOT / "deploy" / "grafana" / "provisioning" / "alerting" / "rules.yml"
    rules: list[dict[str, Any]] = yaml.safe_load(path.read_text())["groups"][0]["rules"]
    return rules


def expressions() -> list[str]:
    """What all panels, annotations and Grafana's rules ask, each once; but what needs a dead notifier."""
    asked = [
        target["expr"] for board in DASHBOARDS.values() for panel in panels(board) for target in panel["targets"]
    ] + [mark["target"]["expr"] for board in DASHBOARDS.values() for mark in board["annotations"]["list"]]
    asked += [
        rule["data"][0]["model"]["expr"]
        for rule in grafana_rules()
        if " unless " not in rule["data"][0]["model"]["expr"]
    ]
    return list(dict.fromkeys(filled(expression) for expression in asked))
