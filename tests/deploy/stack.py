"""A real Prometheus and a real Alertmanager with the shipped rules and routes, made quick enough for a test."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import yaml

from tests.deliver.paging.events_api import EventsApi
from tests.deploy.tools import ALERTMANAGER, PROMETHEUS, tool
from tests.kafka.broker import free_ports
from tests.waiting import patient
from tests.web import CONTEXT

SCRAPE: Final = "500ms"
JOB: Final = "cascade-monitor"


class Stack:
    """Prometheus scrapes one monitor, Alertmanager pages a stand-in. Use as an async context manager.

    Args:
        folder: where both live.
        target: ``host:port`` of the monitor.
        pager: the stand-in for the Events API.
    """

    def __init__(self, folder: Path, target: str, pager: EventsApi) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._prometheus, self._alertmanager = free_ports(2)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._write_alertmanager(pager)
        self._write_prometheus(target)

    def _write_prometheus(self, target: str) -> None:
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE}
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self._alertmanager}"]}]}]}
        config["scrape_configs"] = [{"job_name": JOB, "static_configs": [{"targets": [target]}]}]
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        shutil.copytree(PROMETHEUS / "rules", self._folder / "rules")
        for path in (self._folder / "rules").glob("*.yml"):
            # The same expressions, held for a tenth of the time: the cascade of a test lasts seconds.
            text = re.sub(r"for: 15s", "for: 1500ms", path.read_text())
            path.write_text(re.sub(r"keep_firing_for: 5m", "keep_firing_for: 2s", text))

    def _write_alertmanager(self, pager: EventsApi) -> None:
        (self._folder / "key").write_text("B" * 32 + "\n")
        (self._folder / "deadman").write_text(pager.url + "\n")
        text = (ALERTMANAGER / "alertmanager.yml").read_text()
        text = text.replace("/etc/alertmanager/secrets/pagerduty_routing_key", str(self._folder / "key"))
        text = text.replace("/etc/alertmanager/secrets/deadman_url", str(self._folder / "deadman"))
        config = yaml.safe_load(text)
        config["global"]["pagerduty_url"] = pager.url
        config["route"]["group_interval"] = "1s"
        (self._folder / "alertmanager.yml").write_text(yaml.safe_dump(config))

    async def __aenter__(self) -> Self:
        self._start(
            tool("prometheus-alertmanager", "prometheus-alertmanager"),
            f"--config.file={self._folder}/alertmanager.yml",
            f"--storage.path={self._folder}/am",
            f"--web.listen-address=127.0.0.1:{self._alertmanager}",
            "--cluster.listen-address=",
        )
        self._start(
            tool("prometheus", "prometheus"),
            f"--config.file={self._folder}/prometheus.yml",
            f"--storage.tsdb.path={self._folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{self._prometheus}",
            "--rules.alert.resend-delay=1s",  # what fires at the start comes before Alertmanager is discovered
        )
        try:
            async with asyncio.timeout(patient(20)):
                while not await self._ready():  # noqa: ASYNC110  # other processes
                    await asyncio.sleep(0.05)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    def _start(self, *command: str) -> None:
        with (self._folder / f"{Path(command[0]).name}.log").open("wb") as log:
            self._processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            await asyncio.to_thread(process.wait, patient(10))

    async def _ready(self) -> bool:
        for process in self._processes:
            assert process.poll() is None, self.log
        try:
            async with httpx.AsyncClient(trust_env=False, verify=CONTEXT, timeout=patient(2)) as client:
                answers = [
                    await client.get(f"http://127.0.0.1:{port}/-/ready")
                    for port in (self._prometheus, self._alertmanager)
                ]
        except httpx.HTTPError:
            return False
        return all(answer.is_success for answer in answers)

    @property
    def log(self) -> str:
        """What both said."""
        return "\n".join(path.read_text() for path in self._folder.glob("*.log"))

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression."""
        async with httpx.AsyncClient(trust_env=False, verify=CONTEXT, timeout=patient(5)) as client:
            url = f"http://127.0.0.1:{self._prometheus}/api/v1/query"
            answer = (await client.post(url, data={"query": expression})).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result = answer["data"]["result"]
        return result if answer["data"]["resultType"] == "vector" else [{"metric": {}, "value": result}]
