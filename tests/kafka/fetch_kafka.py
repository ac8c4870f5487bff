"""Fetches Apache Kafka once: Maven copies the broker's jars (pom.xml) into the cache folder.

``python -m tests.kafka.fetch_kafka`` prints the folder. ``CASCADE_CACHE`` names another cache than ``.cache``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.paths import ROOT
from tests.waiting import patient

POM: Final = Path(__file__).with_name("pom.xml")
FETCH_TIMEOUT_S: Final = 300
"""44 MB take six seconds on a fast line; a slow one still ends."""
JAVA_MINIMUM: Final = 17
"""Kafka 4's brokers run on Java 17 and newer (Kafka's "Java version" page)."""


class UnavailableError(Exception):
    """This machine cannot run a broker; the text says what is missing."""


def kafka_version() -> str:
    """The broker's version as the pom names it."""
    match = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([^<]+)</version>", POM.read_text())
    if match is None:
        raise ValueError(f"{POM.name}: no version of kafka_2.13 in it")
    return match.group(1)


def require_java() -> str:
    """Path of a Java that Kafka runs on."""
    java = shutil.which("java")
    if java is None:
        raise UnavailableError(f"no java on the PATH; install a Java {JAVA_MINIMUM} runtime")
    text = subprocess.run([java, "-version"], capture_output=True, text=True, check=True, timeout=patient(30)).stderr
    match = re.search(r'version "(\d+)', text)
    if match is None or int(match.group(1)) < JAVA_MINIMUM:
        raise UnavailableError(f"Kafka 4 needs Java {JAVA_MINIMUM} or newer, not {text.splitlines()[0]}")
    return java


def kafka_jars() -> Path:
    """The folder with the broker's jars, fetched on first use."""
    cache = Path(os.environ.get("CASCADE_CACHE") or ROOT / ".cache")
    jars = cache / "kafka" / kafka_version()
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("no mvn on the PATH to fetch Kafka with; install Maven")
    jars.parent.mkdir(parents=True, exist_ok=True)
    # Copied beside its place and then renamed: an interrupted fetch leaves nothing that looks complete.
    with tempfile.TemporaryDirectory(dir=jars.parent, prefix=".fetch-") as scratch:
        target = Path(scratch) / "jars"
        command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FETCH_TIMEOUT_S)
        if run.returncode:
            raise UnavailableError(f"Maven could not fetch Kafka: {run.stdout.strip()[-400:]}")
        try:
            target.rename(jars)
        except OSError:
            if not jars.is_dir():  # else another process was faster
                raise
    return jars


if __name__ == "__main__":
    sys.stdout.write(f"{kafka_jars()}\n")
