"""Dashboards are what their source makes, say all that a reader needs, and are what Grafana's own types allow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.grafana.boards.__main__ import texts
from deploy.grafana.boards.parts import PALETTE
from monitor.deliver.metrics.monitor import MonitorMetrics
from tests.deliver.metrics.test_everything_counted import EVERYTHING
from tests.deploy.dashboards import DASHBOARDS, FOLDER, expressions, panels
from tests.deploy.grafana_types import TYPES, node_modules
from tests.deploy.test_rules import ALERTS, rules
from tests.kafka.fetch_kafka import UnavailableError
from tests.paths import ROOT
from tests.waiting import patient

PANELS: Final = [
    pytest.param(panel, id=f"{uid}-{panel['id']}") for uid, board in DASHBOARDS.items() for panel in panels(board)
]


def test_the_committed_json_is_what_the_source_makes() -> None:
    """The committed dashboards are made from their source in Python."""
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == texts(), "run make generate"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """Title, description, unit, data source, range, and a runbook that is there."""
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert defaults["unit"]
    assert {part["datasource"]["uid"] for part in (panel, *panel["targets"])} == {"${datasource}"}
    assert "min" in defaults or defaults["custom"].get("axisCenteredZero") or panel["title"] == "Price"
    page = panel["links"][0]["url"].removeprefix("https://runbooks.example/")
    assert (ROOT / "docs" / "runbooks" / page).exists(), page
    for target in panel["targets"]:
        assert target["legendFormat"]
        assert set(re.findall(r"\brate\([^\[]*\[([^\]]+)\]", target["expr"])) <= {"$__rate_interval"}


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_a_dashboard_can_be_linked_to_and_tells_of_episodes(uid: str) -> None:
    """Its uid is its file's name, its panels' ids differ, it has the data source as a variable and marks episodes."""
    board = DASHBOARDS[uid]
    assert board["uid"] == uid
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert board["templating"]["list"][0]["name"] == "datasource"
    assert "cascade_episode_active" in board["annotations"]["list"][0]["target"]["expr"]


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_colours_are_told_apart_by_the_colour_blind(uid: str) -> None:
    """None but Okabe and Ito's is set, and no scheme of Grafana's own chooses others."""
    text = json.dumps(DASHBOARDS[uid])
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", text)) <= set(PALETTE)
    modes = {panel["fieldConfig"]["defaults"]["color"]["mode"] for panel in panels(DASHBOARDS[uid])}
    assert modes <= {"fixed", "thresholds"}


def exported() -> list[str]:
    """Return a pattern of the series' names for every family of the monitor's scrape."""
    endings = {"gauge": "", "counter": "_total", "histogram": "_(bucket|count|sum)"}
    families = MonitorMetrics(lambda: EVERYTHING).families()
    return [rf"\b{family.name}{endings[family.kind]}\b" for family in families]


def test_panels_read_metrics_that_are_exported() -> None:
    """Each name in a panel's query is a series of one of our families."""
    patterns = exported()
    for expression in expressions():
        for name in re.findall(r"(?<!:)\bcascade_[a-z0-9_]+", re.sub(r'"[^"]*"|by \([^)]*\)', "", expression)):
            assert any(re.fullmatch(pattern, name) for pattern in patterns), name


def test_every_exported_family_is_in_a_panel_or_an_alert() -> None:
    """No family is exported that nobody looks at: each is in a panel or an alert, by itself or by a recording rule."""
    found = [target["expr"] for board in DASHBOARDS.values() for panel in panels(board) for target in panel["targets"]]
    found += [rule["expr"] for rule in ALERTS]
    text = "\n".join(found)
    text += "\n".join(rule["expr"] for rule in rules("record") if rule["record"] in text)
    assert [pattern for pattern in exported() if not re.search(pattern, text)] == []


@pytest.mark.real
def test_grafanas_own_types_allow_the_dashboards(tmp_path: Path) -> None:
    """`tsc --strict` on each as an object literal, which also refuses fields that Grafana does not know."""
    modules = required_modules()
    shutil.copy(TYPES / "types.ts", tmp_path)
    (tmp_path / "node_modules").symlink_to(modules)
    for uid in DASHBOARDS:
        body = (FOLDER / f"{uid}.json").read_text()
        (tmp_path / f"{uid}.ts").write_text(
            f"import type {{ Board }} from './types';\nexport const board: Board = {body};"
        )
    done = subprocess.run(
        [
            modules / ".bin" / "tsc",
            "--noEmit",
            "--strict",
            "--skipLibCheck",
            "--target",
            "es2022",
            "--module",
            "es2022",
            "--moduleResolution",
            "bundler",
            *tmp_path.glob("*.ts"),
        ],
        capture_output=True,
        text=True,
        timeout=patient(280),
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[:4000]


def required_modules() -> Path:
    """Return the folder of the locked packages; skips, or fails where real parts are required, if there is none."""
    try:
        return node_modules()
    except UnavailableError as error:
        if os.environ.get("CASCADE_REQUIRE_REAL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
