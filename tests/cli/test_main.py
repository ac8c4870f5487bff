import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from monitor import __version__
from monitor.bus.asyncapi import document
from monitor.cli.main import cli
from monitor.deliver.http import Response
from monitor.deliver.http_server import HttpServer
from monitor.model.errors import OperatorError
from monitor.model.events import Liquidation
from monitor.model.lines import DecodeError
from monitor.model.schema import checked, json_schema, json_schemas
from tests.waiting import patient

Calls = list[tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """Leave the root logger as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Calls]:
    """Puts a module in a command's place that notes how it was called."""

    def install(module: str, result: int | BaseException = 0) -> Calls:
        calls: Calls = []

        def run(*args: Any, **options: Any) -> int:
            calls.append((args, options))
            if isinstance(result, BaseException):
                raise result
            return result

        monkeypatch.setitem(sys.modules, module, SimpleNamespace(run=run))
        return calls

    return install


def invoke(*args: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, args, prog_name="cascade-monitor", **options)


def test_help_names_every_command() -> None:
    """The list of commands holds what the documents name."""
    answer = invoke("--help")
    assert answer.exit_code == 0
    for name in ("run", "replay", "record", "decode", "demo", "schema", "health", "version"):
        assert f"\n  {name} " in answer.output


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(arguments: list[str]) -> None:
    """Both ways of asking print the version."""
    assert __version__ in invoke(*arguments).output


def test_schema_prints_all_or_one() -> None:
    """The JSON Schemas come as one object by name, or one of them by itself."""
    assert json.loads(invoke("schema").output) == json_schemas()
    assert json.loads(invoke("schema", "signal").output) == json_schema("signal")


def test_schema_prints_the_topics() -> None:
    """As AsyncAPI, of all records or none."""
    assert json.loads(invoke("schema", "--asyncapi").output) == document()
    assert "is of all records" in invoke("schema", "--asyncapi", "signal").output


def test_schema_of_an_unknown_record_lists_the_known() -> None:
    """A wrong name is a usage error that says which there are."""
    answer = invoke("schema", "trades")
    assert answer.exit_code == 2
    assert "there are liquidation, trade, " in answer.stderr


def test_run_loads_settings_and_starts_the_role(stand_in: Callable[..., Calls], tmp_path: Path) -> None:
    """Options override the file, and the role's module gets the settings."""
    calls = stand_in("monitor.roles.all")
    config = tmp_path / "c.yaml"
    config.write_text("delivery: {port: 0}\nlog: {level: error}\n")
    assert invoke("run", "--config", str(config), "--signals", "-").exit_code == 0
    (settings,) = calls[0][0]
    assert (settings.role, settings.delivery.port, settings.delivery.signals_output) == ("all", 0, "-")
    assert logging.getLogger().level == logging.ERROR


def test_a_notifier_without_anybody_to_page_is_refused_in_words(tmp_path: Path) -> None:
    """One line names the keys that would give it somebody."""
    config = tmp_path / "c.yaml"
    config.write_text("bus: {kind: kafka}\n")
    result = invoke("run", "--config", str(config), "--role", "notifier")
    assert result.exit_code == 1
    assert "no channel: set notifier.pagerduty.routing_key_file" in result.stderr


def test_run_takes_the_config_and_role_it_is_told(
    stand_in: Callable[..., Calls], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The config file may come from the environment, and the role picks the module."""
    calls = stand_in("monitor.roles.detector", 3)
    config = tmp_path / "c.yaml"
    config.write_text("bus: {kind: kafka}\n")
    monkeypatch.setenv("CASCADE_CONFIG", str(config))
    assert invoke("run", "--role", "detector").exit_code == 3
    assert calls[0][0][0].role == "detector"


def test_record_says_where_to(stand_in: Callable[..., Calls]) -> None:
    """The recording's path reaches the collector's settings."""
    calls = stand_in("monitor.roles.record")
    assert invoke("record", "--output", "frames.jsonl.gz").exit_code == 0
    assert calls[0][0][0].collector.record_path == Path("frames.jsonl.gz")


def test_replay_passes_files_and_form(stand_in: Callable[..., Calls], tmp_path: Path) -> None:
    """Files come in order, `-` among them; the exit status is the replay's."""
    calls = stand_in("monitor.cli.replay", 1)
    one = tmp_path / "one.jsonl"
    one.touch()
    assert invoke("replay", str(one), "-", "--json").exit_code == 1
    args, options = calls[0]
    assert args[0] == (one, Path("-"))
    assert options == {"as_json": True}


FORCED = (
    '{"stream":"btcusdt@forceOrder","data":{"e":"forceOrder","E":1700000000100,"o":{"s":"BTCUSDT","S":"SELL",'
    '"o":"LIMIT","f":"IOC","q":"0.014","p":"9910","ap":"9910","X":"FILLED","l":"0.014","z":"0.014","T":1700000000000}}}'
)


def test_decode_prints_events_and_reports_the_rest() -> None:
    """A valid frame becomes its event on standard output; garbage is reported by line, with status 1."""
    answer = invoke("decode", "--venue", "binance-usdm", input=f"garbage\n{FORCED}\n\n")
    assert answer.exit_code == 1
    (event,) = [checked(Liquidation, line) for line in answer.stdout.splitlines()]
    assert (event.side, event.asset, event.receive_time_us) == ("long", "BTC", 0)
    (error,) = [checked(DecodeError, line) for line in answer.stderr.splitlines()]
    assert error.line == 1
    assert invoke("decode", "--venue", "binance-usdm", input=FORCED).exit_code == 0


def test_decode_counts_contracts_by_the_instruments_file(tmp_path: Path) -> None:
    """A venue that counts contracts needs their sizes, and takes them from the file."""
    frame = json.dumps(
        {
            "arg": {"channel": "trades", "instId": "BTC-USDT-SWAP"},
            "data": [
                {
                    "instId": "BTC-USDT-SWAP",
                    "tradeId": "1",
                    "px": "20000",
                    "sz": "3",
                    "side": "buy",
                    "ts": "1700000000000",
                    "count": "1",
                }
            ],
        }
    )
    instruments = tmp_path / "i.json"
    instruments.write_text('{"BTC-USDT-SWAP": {"contract_size": 0.01, "contract_value_currency": "base"}}')
    answer = invoke("decode", "--venue", "okx", "--instruments", str(instruments), input=frame)
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["notional_usd"] == 600
    blind = invoke("decode", "--venue", "okx", input=frame)
    assert blind.exit_code == 1
    assert blind.stdout == ""


def test_decode_of_an_unknown_venue_names_the_nearest() -> None:
    """A mistyped venue is one clear line."""
    answer = invoke("decode", "--venue", "bibit", input="")
    assert answer.exit_code == 1
    assert answer.stderr.count("\n") == 1
    assert "did you mean 'bybit'?" in answer.stderr


def test_demo_passes_its_form(stand_in: Callable[..., Calls]) -> None:
    """The demo is told whether there is a screen."""
    calls = stand_in("monitor.lab.demo")
    assert invoke("demo", "--headless").exit_code == 0
    assert calls[0][1] == {"headless": True}


def test_bad_settings_are_a_usage_error_in_clear_lines(tmp_path: Path) -> None:
    """Each problem is one line on standard error, with status 2 and no traceback."""
    config = tmp_path / "c.yaml"
    config.write_text("bus: {knd: memory}\nport: 1\n")
    answer = invoke("run", "--config", str(config))
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == [
        f"cascade-monitor: {config}: bus.knd: unknown key; did you mean bus.kind?",
        f"cascade-monitor: {config}: port: unknown key; did you mean delivery.port?",
    ]


def test_missing_config_is_a_usage_error() -> None:
    """A file that is not there is named."""
    answer = invoke("run", "--config", "none.yaml")
    assert answer.exit_code == 2
    assert "none.yaml" in answer.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OperatorError("Kafka is away; start it"), "Kafka is away; start it"),
        (FileNotFoundError(2, "No such file or directory", "x.json"), "x.json: No such file or directory"),
        (OSError("cannot listen on 127.0.0.1:1: taken"), "cannot listen on 127.0.0.1:1: taken"),
        (ExceptionGroup("tasks", [OperatorError("one"), ExceptionGroup("more", [OperatorError("one")])]), "one"),
    ],
)
def test_failure_is_one_clear_line(stand_in: Callable[..., Calls], error: Exception, line: str) -> None:
    """What is wrong outside the program is one line with status 1, also out of a task group."""
    stand_in("monitor.lab.demo", error)
    answer = invoke("demo")
    assert answer.exit_code == 1
    assert answer.stderr == f"cascade-monitor: {line}\n"


@pytest.mark.parametrize("error", [ZeroDivisionError(), ExceptionGroup("tasks", [OSError("x"), ZeroDivisionError()])])
def test_fault_of_the_program_keeps_its_traceback(stand_in: Callable[..., Calls], error: Exception) -> None:
    """What no person can mend from outside is not dressed up."""
    stand_in("monitor.lab.demo", error)
    assert invoke("demo").exception is error


@pytest.mark.parametrize(
    ("module", "arguments", "status"),
    [("monitor.lab.demo", ["demo"], 130), ("monitor.roles.all", ["run"], 0), ("monitor.roles.record", None, 0)],
)
def test_interrupt_is_the_regular_end_of_what_has_none(
    stand_in: Callable[..., Calls], module: str, arguments: list[str] | None, status: int
) -> None:
    """Interrupting a service is no failure; interrupting a task that was not done is said by the status."""
    stand_in(module, KeyboardInterrupt())
    answer = invoke(*(arguments or ["record", "--output", "x"]))
    assert answer.exit_code == status
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_errors_are_coloured_on_terminals_that_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    """NO_COLOR takes the colour away where there would be one."""
    monkeypatch.setenv("NO_COLOR", no_color)
    config = tmp_path / "c.yaml"
    config.write_text("port: 1\n")
    answer = invoke("run", "--config", str(config), color=True)
    assert ("\x1b[31m" in answer.stderr) is coloured


def test_health_asks_the_endpoint() -> None:
    """Well is 0 and its words on standard output; anything else is 1 and on standard error."""
    table = {
        "/livez": lambda: Response(HTTPStatus.OK, "text/plain", b"turns\n"),
        "/readyz": lambda: Response(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"no feed\n"),
    }
    with HttpServer("127.0.0.1", 0, table) as server:
        well = invoke("health", "--url", f"{server.url}/livez")
        ill = invoke("health", "--url", f"{server.url}/readyz")
        url = server.url
    gone = invoke("health", "--url", f"{url}/livez", "--timeout", "1")
    assert (well.exit_code, well.stdout, well.stderr) == (0, "turns\n", "")
    assert (ill.exit_code, ill.stdout, ill.stderr) == (1, "", "no feed\n")
    assert gone.exit_code == 1
    assert gone.stderr.startswith("no answer: ")


SERVICE = """
import asyncio, sys, types
def run(settings):
    async def main():
        print("up", flush=True)
        try:
            await asyncio.sleep(30)
        finally:
            print("closed", flush=True)
    asyncio.run(main())
sys.modules["monitor.roles.all"] = types.SimpleNamespace(run=run)
sys.argv = ["cascade-monitor", "run"]
from monitor.cli.main import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("shell", ["", "trap '' INT; "], ids=["alone", "in-the-background"])
def test_signal_ends_a_service_cleanly(number: signal.Signals, shell: str) -> None:
    """SIGTERM and SIGINT let everything that opened close, and exit with 0 and without noise.

    Also in the background of a shell script, which hands on an ignored SIGINT.
    """
    command = ["sh", "-c", shell + 'exec "$@"', "sh", sys.executable, "-c", SERVICE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=patient(20))
    assert (process.returncode, out, err) == (0, "closed\n", "")


def test_closed_pipe_is_no_traceback() -> None:
    """A reader that has seen enough ends the program quietly."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "schema"],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=patient(20),
        check=False,
    )
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == b""


def test_every_command_has_help() -> None:
    """Each command and each option says what it does."""
    for name, command in cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)
