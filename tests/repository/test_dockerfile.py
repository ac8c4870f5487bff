"""The image's recipe, read as text: what a build would trip over later is seen here without a daemon."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitor.cli.main import cli
from tests.paths import ROOT

Instruction = tuple[str, str]


def instructions() -> list[Instruction]:
    """The Dockerfile's instructions with their arguments, continuation lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name, argument) for name, argument in pairs]


def arguments(name: str) -> list[str]:
    """Arguments of every instruction of one kind, in order."""
    return [argument for instruction, argument in instructions() if instruction == name]


def exec_form(argument: str) -> list[str]:
    """The words of an exec-form instruction; fails on the shell form."""
    words = json.loads(argument)
    assert isinstance(words, list)
    assert all(isinstance(word, str) for word in words)
    return words


def test_base_image_is_pinned() -> None:
    """Every stage starts from one exact version, never from a tag that moves."""
    default = arguments("ARG")[0].removeprefix("PYTHON_IMAGE=")
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", default)
    assert {base.split()[0] for base in arguments("FROM")} == {"${PYTHON_IMAGE}"}


def test_runs_as_a_numbered_user() -> None:
    """The last stage ends as user 10001 and nothing sets another user after it."""
    assert arguments("USER") == ["10001:10001"]
    last_stage = [name for name, _ in instructions()]
    last_stage = last_stage[len(last_stage) - last_stage[::-1].index("FROM") :]
    assert "RUN" not in last_stage[last_stage.index("USER") :]


@pytest.mark.parametrize("name", ["ENTRYPOINT", "CMD"])
def test_starts_without_a_shell(name: str) -> None:
    """The program is process 1 and gets the signals itself."""
    (argument,) = arguments(name)
    assert exec_form(argument)


def test_packages_are_locked() -> None:
    """Whatever pip fetches is held against a hash; what it builds needs no network."""
    installs = re.findall(r"pip (?:install|wheel)[^&]*", " ".join(arguments("RUN")))
    assert installs
    assert all("--require-hashes" in step or "--no-deps" in step for step in installs)


def test_copied_paths_exist_and_are_in_the_context() -> None:
    """Each path that is copied is in the tree, and .dockerignore lets it through."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for argument in arguments("COPY"):
        if argument.startswith("--from="):
            continue
        for source in argument.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in allowed, source


def test_commands_exist() -> None:
    """What the image starts and what its health check calls are commands of the program."""
    (entry,), (command,), (health,) = arguments("ENTRYPOINT"), arguments("CMD"), arguments("HEALTHCHECK")
    assert exec_form(entry) == ["cascade-monitor"]
    assert exec_form(command)[0] in cli.commands
    check = exec_form(health[health.index("CMD") + 3 :])
    assert check[0] == "cascade-monitor"
    assert check[1] in cli.commands


def test_configuration_is_in_the_image() -> None:
    """The file that the default command names is one that is copied."""
    (argument,) = arguments("CMD")
    config = Path(exec_form(argument)[2])
    assert config.parent == Path("/etc/cascade")
    assert (ROOT / "configs" / config.name).exists()
