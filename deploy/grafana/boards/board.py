"""Builds a dashboard from its rows of panels, with ids, links, variables and annotations of episodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder as Builds
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.boards.parts import RUNBOOKS, SOURCE, VERMILION, Builder

TAG: Final = "cascade"


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: Sequence[Builder]


class Episodes(Builds[model.AnnotationQuery]):
    """Builds the annotations of episodes, which Grafana reads from a metric, so that nothing has to write them.

    Args:
        expr: expression that is 1 while an episode lasts, with the labels ``asset`` and ``direction``.
    """

    def __init__(self, expr: str) -> None:
        self._expr = expr

    def build(self) -> model.AnnotationQuery:
        """Return the query; its text format is specific to Prometheus and unknown to the SDK."""
        return _Marks(self._expr)


class _Marks(model.AnnotationQuery):
    def __init__(self, expr: str) -> None:
        super().__init__("Episodes", SOURCE, True, False, VERMILION)
        self.expr = expr

    def to_json(self) -> dict[str, object]:
        plain = super().to_json()
        del plain["expr"], plain["builtIn"]
        return plain | {
            "target": {"refId": "Episodes", "expr": self.expr, "interval": "5s", "range": True},
            "titleFormat": "{{asset}}: liquidations of {{direction}}s",
            "tagKeys": "asset,direction",
        }


def board(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    *variables: build.QueryVariable | build.CustomVariable,
    episodes: str,
    span: str = "now-1h",
) -> build.Dashboard:
    """Return a dashboard whose panel ids follow the panels' order."""
    made = build.Dashboard(title).uid(uid).description(description).tags([TAG]).time(span, "now").refresh("5s")
    made.timezone("utc").readonly().tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in variables:
        made.with_variable(variable)
    made.annotation(Episodes(episodes))
    made.link(
        build.DashboardLink("Cascade dashboards")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
    )
    made.link(
        build.DashboardLink("Runbooks")
        .type(model.DashboardLinkType.LINK)
        .url(f"{RUNBOOKS}/README.md")
        .target_blank(True)
    )
    number = 0
    for row in rows:
        number += 1
        made.with_row(build.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            made.with_panel(panel.id(number))
    return made


def of_series(name: str, label: str, metric: str, *, every: bool = False) -> build.QueryVariable:
    """Return a variable with the values of a metric's label ``name``; ``every`` allows several, at first all."""
    variable = (
        build.QueryVariable(name).label(label).datasource(SOURCE).refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
    variable.query({"query": f"label_values({metric}, {name})", "refId": "Variable"}).sort(
        model.VariableSort.ALPHABETICAL_ASC
    )
    return variable.multi(True).include_all(True).all_value(".*") if every else variable


def text(made: build.Dashboard) -> str:
    """Return the dashboard as the JSON that Grafana loads, without the variables' outdated fields."""
    plain = json.loads(JSONEncoder().encode(made.build()))
    for variable in plain["templating"]["list"]:
        for gone in ("auto", "auto_min", "auto_count"):
            variable.pop(gone, None)
    return json.dumps(plain, indent=2, sort_keys=True) + "\n"
