"""The command line. Every command is thin: it reads its options and calls one function elsewhere.

The modules that do the work are imported by the command that needs them, so that ``--help`` and ``health`` are quick.

Exit status: 0 done, 1 failed, 2 wrong usage or settings, 130 interrupted. ``run`` and ``record`` have no end of
their own: an interrupt (SIGINT, SIGTERM) is their regular end, with 0.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from monitor import __version__
from monitor.cli.topics import topics
from monitor.model.errors import OperatorError

if TYPE_CHECKING:
    from monitor.settings import Settings

INTERRUPTED: Final = 130

ROLES: Final = {
    "all": "monitor.roles.all",
    "collector": "monitor.roles.collector",
    "detector": "monitor.roles.detector",
    "notifier": "monitor.roles.notifier",
}
"""The module that runs each role."""

DEFAULT_HEALTH_URL: Final = "http://127.0.0.1:9108/livez"


class Commands(click.Group):
    """Turns errors that are meant for people into one line and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except (OperatorError, OSError, ExceptionGroup) as error:
            failures = list(_leaves(error))
            if any(isinstance(leaf, BrokenPipeError) or not _for_people(leaf) for leaf in failures):
                raise
            status = max(leaf.exit_status if isinstance(leaf, OperatorError) else 1 for leaf in failures)
            for line in dict.fromkeys("\n".join(_words(leaf) for leaf in failures).splitlines()):
                click.echo(f"{click.style('cascade-monitor:', fg='red')} {line}", err=True)
            ctx.exit(status)


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors that a task group collected, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def _for_people(error: BaseException) -> bool:
    return isinstance(error, OperatorError | OSError)


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


config_option = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="CASCADE_CONFIG",
    help="YAML settings file; docs/configuration.md lists the keys.",
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cascade-monitor")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Watch derivatives exchanges for forced liquidations, and signal cascades."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


@cli.command()
@config_option
@click.option("--role", type=click.Choice(["all", "collector", "detector", "notifier"]), help="Overrides `role`.")
@click.option("--signals", metavar="FILE", help="Write signals as JSON lines to FILE, or to standard output with `-`.")
@click.pass_context
def run(ctx: click.Context, config: Path | None, role: str | None, signals: str | None) -> None:
    """Watch the exchanges until interrupted."""
    overrides: dict[str, Any] = {"role": role} if role else {}
    if signals:
        overrides["delivery"] = {"signals_output": signals}
    settings = _settings(config, overrides)
    _until_interrupted(ctx, ROLES[settings.role], settings)


@cli.command()
@config_option
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write; a name that ends in .gz is compressed.",
)
@click.pass_context
def record(ctx: click.Context, config: Path | None, output: Path) -> None:
    """Write raw frames to a file until interrupted.

    `replay` and `decode` read what it writes.
    """
    settings = _settings(config, {"collector": {"record_path": str(output)}})
    _until_interrupted(ctx, "monitor.roles.record", settings)


@cli.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print signals and a summary as JSON lines.")
@click.pass_context
def replay(ctx: click.Context, files: tuple[Path, ...], config: Path | None, as_json: bool) -> None:
    """Run the detector over recordings.

    FILES hold events or raw frames as JSON lines, plain or .gz.
    """
    settings = _settings(config, {})
    ctx.exit(import_module("monitor.cli.replay").run(files, settings, as_json=as_json))


@cli.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--truth", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Truth file of FILES, JSON lines."
)
@click.option(
    "--recordings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of event files, each with an optional NAME.truth.jsonl beside it, or of sets with a converter "
    "to_events.py. Each is a market.",
)
@click.option("--seeds", metavar="A..B", help="Seeds of simulated markets to test on.")
@click.option(
    "--train",
    metavar="A..B",
    help="Seeds of simulated markets for the baselines' thresholds.",
)
@click.option(
    "--days", default=30.0, show_default=True, type=click.FloatRange(min=0.1), help="Days of a simulated market."
)
@click.option(
    "--assets", default=8, show_default=True, type=click.IntRange(min=1), help="Assets of a simulated market."
)
@click.option(
    "--shocks",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Factor of the number of outside shocks, as in simulate.",
)
@click.option(
    "--jobs", default=2, show_default=True, type=click.IntRange(min=1), help="Markets examined at once, a process each."
)
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Store each market's result in DIR and reuse it, so that an interrupted run can be continued. A result is "
    "found by a hash of the market (seed, days, assets, shocks; or the bytes of its files), the detector's settings, "
    "--alert, --matrix, and the code of detector, simulator, adapters and evaluation; if any of them differs, the "
    "market is examined again. With --plots every market is.",
)
@click.option(
    "--alert",
    type=click.Choice(["cascade", "building"]),
    default="cascade",
    show_default=True,
    help="Phase that counts as an alert.",
)
@click.option(
    "--matrix",
    is_flag=False,
    flag_value="events",
    type=click.Choice(["losses", "events", "whole"]),
    help="Also evaluate degraded input near events. `losses`: without each venue, and with throttled feeds alone. "
    "`events`: also lost, late, duplicated and wrong data. `whole`: also whole runs of the losses, each as long as the "
    "plain run. Without a value: events.",
)
@click.option(
    "--plots",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Draw a chart of each episode into DIR as PNG; needs matplotlib.",
)
@click.option(
    "--tried",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of configurations that were tried before this one was chosen; it is printed.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the tables as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@config_option
@click.pass_context
def evaluate(ctx: click.Context, /, config: Path | None, seeds: str | None, train: str | None, **options: Any) -> None:
    """Measure the detector against the episodes that really happened.

    All FILES together are one market; each seed and each recording of a folder is one as well. Where the truth is not
    known, a rule that is independent of the detector labels the episodes after the fact.
    """
    from monitor.lab.evaluate.command import Request, parse_seeds
    from monitor.lab.evaluate.command import run as evaluate_markets

    settings = _settings(config, {})
    options["paths"], options["folder"], options["trigger"] = (
        options.pop("files"),
        options.pop("recordings"),
        options.pop("alert"),
    )
    for name, text in (("seeds", seeds), ("train", train)):
        if text is not None:
            try:
                options[name] = parse_seeds(text)
            except ValueError as error:
                raise click.BadParameter(f"{text}: {error}", param_hint=f"--{name}") from None
    ctx.exit(evaluate_markets(Request(**options), settings.detector))


@cli.command()
@click.option("--venue", required=True, help="Exchange that sent the frames, such as okx.")
@click.option(
    "--instruments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='JSON object {"SYMBOL": {"contract_size": 0.01, "contract_value_currency": "base"}}; symbols that it lacks '
    "are read by their names where these show the unit.",
)
@click.option(
    "--receive-time",
    metavar="TIME",
    help="Time of receipt of frames outside a recording, ISO 8601 or microseconds since 1970. Without it events whose "
    "exchange sends no time cannot be read; with it rows are judged as live ones, old ones as backlog.",
)
@click.option("--strict", is_flag=True, help="Also report frames that carry data and yield nothing.")
@click.pass_context
def decode(ctx: click.Context, venue: str, instruments: Path | None, receive_time: str | None, strict: bool) -> None:
    """Print the events in raw frames.

    Reads standard input, plain or .gz: one frame a line, or a recording, of which the lines of the exchange are read
    with their times of receipt and the recorded contract sizes. Lines that cannot be read are reported on standard
    error.
    """
    from monitor.cli.decode import run as decode_frames

    streams = sys.stdin.buffer, sys.stdout.buffer, sys.stderr
    ctx.exit(decode_frames(venue, instruments, *streams, receive_time=receive_time, strict=strict))


@cli.command()
@click.option("--headless", is_flag=True, help="Print signals and a summary as JSON lines instead of the screen.")
@click.option(
    "--serve", metavar="HOST", help="Only serve the simulated exchanges on HOST, ports 9201 to 9203, for ten hours."
)
@click.pass_context
def demo(ctx: click.Context, headless: bool, serve: str | None) -> None:
    """Play a cascade on this machine.

    Simulated exchanges are read by the real collector and judged by the real detector: calm, a long cascade, relief, a
    short squeeze, in about 90 seconds.
    """
    if serve is not None:
        ctx.exit(import_module("monitor.lab.demo.serve").run(serve))
    ctx.exit(import_module("monitor.lab.demo").run(headless=headless))


@cli.command()
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed; equal seeds give equal bytes."
)
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, help="Days to simulate."
)
@click.option(
    "--assets", type=click.IntRange(1, 50), default=8, show_default=True, help="Number of assets, the leader included."
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory to write to.")
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Factor of every asset's open interest: 0.001 makes the first a coin a thousand times smaller than BTC.",
)
@click.option(
    "--shocks",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Factor of the number of outside shocks; a high one makes rare events, such as second waves, frequent.",
)
@click.option(
    "--throttle",
    type=click.Choice(["mixed", "all-latest", "all-largest", "none"]),
    default="mixed",
    show_default=True,
    help="Feeds of forced orders: each venue's own, all with one order a second, or all complete.",
)
@click.option("--feedback/--no-feedback", default=True, help="Let forced orders move the price.")
@click.option("--outages/--no-outages", default=True, help="Let venues have outages.")
@click.option("--decoys/--no-decoys", default=True, help="Add events that only look like a cascade.")
@click.option(
    "--hawkes",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of forced orders that are set off by others, 0 to below 1.",
)
@click.option("--quiet", is_flag=True, help="Print no progress and no summary.")
@click.pass_context
def simulate(ctx: click.Context, /, out: Path, quiet: bool, **options: Any) -> None:
    """Write a simulated market's events and the exact truth about its cascades.

    `replay` reads the events; docs/simulator.md describes the files.
    """
    from monitor.lab.simulate.world.settings import WorldSettings

    ctx.exit(import_module("monitor.lab.simulate.world.write").run(WorldSettings(**options), out, quiet=quiet))


@cli.command()
@click.argument("name", required=False)
@click.option("--asyncapi", is_flag=True, help="Print the topics as an AsyncAPI 3 document instead.")
def schema(name: str | None, asyncapi: bool) -> None:
    """Print the records' JSON Schemas.

    All of them as one object by name, or the one called NAME.
    """
    import orjson

    from monitor.model.schema import CONTRACTS, json_schema, json_schemas

    if asyncapi:
        from monitor.bus.asyncapi import document as describe_topics

        if name is not None:
            raise click.BadParameter("the AsyncAPI document is of all records", param_hint="NAME")
        click.echo(orjson.dumps(describe_topics(), option=orjson.OPT_INDENT_2).decode())
        return
    if name is not None and name not in CONTRACTS:
        raise click.BadParameter(f"no record is called {name!r}; there are {', '.join(CONTRACTS)}", param_hint="NAME")
    document = json_schemas() if name is None else json_schema(name)
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


@cli.command()
@click.option("--url", default=DEFAULT_HEALTH_URL, show_default=True, help="Health endpoint to request.")
@click.option("--timeout", default=5.0, show_default=True, type=click.FloatRange(min=0.1), help="Seconds to wait.")
@click.option("--ca", type=click.Path(path_type=Path), help="Certificates (PEM) that sign an HTTPS endpoint's.")
@click.pass_context
def health(ctx: click.Context, url: str, timeout: float, ca: Path | None) -> None:
    """Check whether a running monitor is healthy."""
    from monitor.deliver.http import health as request_health

    answer = request_health(url, timeout, ca)
    click.echo(answer.detail, err=not answer.ok)
    ctx.exit(0 if answer.ok else 1)


@cli.command()
@config_option
@click.option("--page", is_flag=True, help="Also send a test page to every channel, and resolve it.")
@click.pass_context
def doctor(ctx: click.Context, config: Path | None, page: bool) -> None:
    """Check everything that a run needs, and report what is wrong.

    Checks the settings, the folders, each exchange, the clock, Kafka and the pager channels; exit status 1 if one
    fails.
    """
    settings = _settings(config, {})
    ctx.exit(import_module("monitor.cli.doctor").run(settings, str(config or "defaults"), page=page))


@cli.command()
@click.argument(
    "parts", nargs=-1, type=click.Choice(["decode", "windows", "replay", "scrape", "page", "kafka", "latency"])
)
@click.option("--frames", type=click.IntRange(min=100), default=100_000, show_default=True, help="Frames to generate.")
@click.option(
    "--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds in which each case is run once."
)
@click.option("--kafka", "bootstrap", metavar="HOST:PORT", help="Broker for the parts kafka and latency.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.pass_context
def bench(
    ctx: click.Context, /, parts: tuple[str, ...], *, frames: int, rounds: int, bootstrap: str | None, as_json: bool
) -> None:
    """Measure the hot paths beside well-known libraries: compare the ratios, not the rates.

    Peers that are not installed are left out, as are parts that need a broker without one; `make bench` provides both.
    """
    ctx.exit(import_module("monitor.lab.bench.command").run(parts, frames, rounds, bootstrap, as_json=as_json))


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


cli.add_command(topics)


def _settings(config: Path | None, overrides: dict[str, Any]) -> Settings:
    """Load the settings and set logging up by them."""
    from monitor.deliver import logs
    from monitor.settings import load

    settings = load(config, overrides)
    logs.configure(settings.log.level, settings.log.format)
    return settings


def _until_interrupted(ctx: click.Context, module: str, settings: Settings) -> None:
    """Run a role; an interrupt is its regular end."""
    try:
        ctx.exit(import_module(module).run(settings))
    except KeyboardInterrupt:
        ctx.exit(0)


def _terminate(_signum: int, _frame: FrameType | None) -> None:
    """Treat SIGTERM as SIGINT: asyncio cancels the main task, so that everything that opened closes."""
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """The program's entry point."""
    # In the background of a shell script SIGINT is ignored, and SIGTERM would do nothing either.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    cli(prog_name="cascade-monitor")
