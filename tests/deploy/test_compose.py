"""The compose file as far as it can be held to account without a daemon: schema, paths, commands, settings, ports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from monitor.cli.main import cli
from monitor.lab.demo.serve import PORT
from monitor.lab.demo.story import DETECTOR
from monitor.lab.simulate.arena import DIALECTS
from monitor.settings import Settings, load
from tests.deploy.tools import ALERTMANAGER, PROMETHEUS
from tests.kafka.fetch_kafka import kafka_version
from tests.paths import ROOT
from tests.waiting import patient

FOLDER: Final = ROOT / "deploy" / "compose"
CONTENT: Final[dict[str, Any]] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = CONTENT["services"]
MONITORS: Final = [name for name, service in SERVICES.items() if service["image"].startswith("cascade-monitor:")]


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """What is mounted from the repository, by where it is in the container."""
    pairs = [volume.split(":") for volume in service.get("volumes", [])]
    return {pair[1]: (FOLDER / pair[0]).resolve() for pair in pairs if pair[0].startswith(".")}


def here(service: dict[str, Any], path: str) -> str:
    """A path in the container as one of the repository; the image has ``configs`` at ``/etc/cascade``."""
    return str(mounts(service).get(path) or ROOT / "configs" / Path(path).name) if path.startswith("/etc/") else path


def settings(name: str, monkeypatch: pytest.MonkeyPatch, key: Path) -> Settings:
    """The settings that a service would run with."""
    service = SERVICES[name]
    for variable, value in service["environment"].items():
        monkeypatch.setenv(variable, str(key) if value.startswith("/run/secrets/") else value)
    command = service["command"]
    file = here(service, command[command.index("--config") + 1]) if "--config" in command else None
    role = {"role": command[command.index("--role") + 1]} if "--role" in command else {}
    return load(Path(file) if file else None, role)


def test_the_file_is_what_compose_reads() -> None:
    """By the Compose specification's own schema."""
    checker = Path(sys.executable).with_name("check-jsonschema")
    command: list[str | Path] = [checker, "--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patient(120), check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_unprivileged_and_reached_from_this_machine_alone(name: str) -> None:
    """Exact tag, a numbered user, no capabilities, mounts that are there, ports on loopback."""
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["cap_drop"] == ["ALL"]
    assert service.get("read_only") or name == "kafka"
    assert all(path.exists() for path in mounts(service).values())
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert set(service.get("depends_on", {})) <= SERVICES.keys()


@pytest.mark.parametrize("name", MONITORS)
def test_a_monitor_starts_with_a_command_and_settings_that_it_has(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The command line is parsed by the real one, the settings are read by the real loader; all meet on Kafka."""
    (tmp_path / "key").write_text("A" * 32 + "\n")
    command: click.Command = cli
    words = [here(SERVICES[name], word) for word in SERVICES[name]["command"]]
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    command.make_context(name, words)
    read = settings(name, monkeypatch, tmp_path / "key")
    assert read.bus.kind == "kafka"
    assert read.bus.kafka.bootstrap_servers == "kafka:19092"
    assert (read.notifier.pagerduty.routing_key is not None) == (name == "notifier")


def test_either_profile_has_what_prometheus_scrapes() -> None:
    """Its targets are services, or names that a profile's services go by."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    wanted = {
        target.split(":")[0]
        for part in (*config["scrape_configs"], *config["alerting"]["alertmanagers"])
        for static in part["static_configs"]
        for target in static["targets"]
    }
    for profile in ("live", "demo"):
        up = {n: s for n, s in SERVICES.items() if profile in s.get("profiles", [profile])}
        names = {
            alias
            for service in up.values()
            for alias in service.get("networks", {}).get("default", {}).get("aliases", [])
        }
        assert wanted <= names | up.keys()


def test_secrets_are_files_that_are_named_in_the_guide_and_ignored_by_git() -> None:
    """And where Alertmanager and Grafana look for them."""
    guide = (ROOT / "deploy" / "README.md").read_text()
    for name, secret in CONTENT["secrets"].items():
        assert secret["file"] == f"./secrets/{name}"
        assert f"secrets/{name}" in guide
    assert "deploy/compose/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    targets = {secret["target"] for secret in SERVICES["alertmanager"]["secrets"]}
    assert targets == set(re.findall(r"_file: (\S+)", (ALERTMANAGER / "alertmanager.yml").read_text()))


def test_the_demo_dials_the_simulated_exchanges_with_the_demos_detector(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Addresses are those that the exchanges' service listens on."""
    read = settings("demo-detector", monkeypatch, tmp_path)
    assert read.detector == DETECTOR
    assert {name: venue.ws_url for name, venue in read.venues.items()} == {
        dialect.venue: f"ws://exchanges:{PORT + place}{dialect.path}" for place, dialect in enumerate(DIALECTS)
    }


def test_the_broker_is_the_version_that_the_tests_run_on() -> None:
    """What was tried is what is shipped."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
