from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka import fixtures
from tests.kafka.fetch_kafka import UnavailableError, kafka_jars, kafka_version, require_java


def script(folder: Path, name: str, text: str) -> None:
    """A program of this name on the PATH."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it, and an empty cache."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setenv("CASCADE_CACHE", f"{tmp_path}/cache")
    (tmp_path / "bin").mkdir()
    return tmp_path / "bin"


def test_the_version_is_the_poms() -> None:
    """It is some 4.x."""
    assert kafka_version().startswith("4.")


def test_without_java_the_reason_is_given(empty_path: Path) -> None:
    """No Java, and one that is too old, are told apart."""
    with pytest.raises(UnavailableError, match="no java on the PATH"):
        require_java()
    script(empty_path, "java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
    with pytest.raises(UnavailableError, match='needs Java 17 or newer, not openjdk version "11'):
        require_java()


def test_without_maven_the_reason_is_given(empty_path: Path) -> None:
    """No Maven, and one that cannot fetch, are told apart; a failed fetch leaves nothing behind."""
    with pytest.raises(UnavailableError, match="no mvn on the PATH"):
        kafka_jars()
    script(empty_path, "mvn", "echo 'unknown host'; exit 1")
    with pytest.raises(UnavailableError, match="could not fetch Kafka: unknown host"):
        kafka_jars()
    assert list((empty_path.parent / "cache" / "kafka").iterdir()) == []


def test_a_fetch_happens_once(empty_path: Path) -> None:
    """What Maven copied is found without it the next time."""
    script(
        empty_path, "mvn", 'for a in "$@"; do case "$a" in -DoutputDirectory=*) /bin/mkdir -p "${a#*=}";; esac; done'
    )
    jars = kafka_jars()
    assert jars == empty_path.parent / "cache" / "kafka" / kafka_version()
    (empty_path / "mvn").unlink()
    assert kafka_jars() == jars


@pytest.mark.usefixtures("empty_path")
def test_tests_skip_unless_a_real_broker_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Java skips and says so; where real parts are required that is a failure."""
    monkeypatch.delenv("CASCADE_REQUIRE_REAL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no real Kafka: no java on the PATH"):
        fixtures.require_kafka()
    monkeypatch.setenv("CASCADE_REQUIRE_REAL", "1")
    with pytest.raises(pytest.fail.Exception, match="a real Kafka is required: no java"):
        fixtures.require_kafka()
