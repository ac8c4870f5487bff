"""Runs ``cascade-monitor evaluate``: examines markets in a pool of processes and prints tables or JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import click
import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from monitor.deliver.terminal import plain_console
from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate import tables
from monitor.lab.evaluate.examine import Examination, Matrix, Plan
from monitor.lab.evaluate.keep import ResultFile, examine_and_keep, result_file
from monitor.lab.evaluate.markets.cases import Simulated, Source, find_recordings, join_files
from monitor.lab.evaluate.report import build_report
from monitor.lab.evaluate.trials.alerts import Trigger
from monitor.model.errors import OperatorError


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command line; ``cascade-monitor evaluate --help`` describes them."""

    paths: tuple[Path, ...] = ()
    truth: Path | None = None
    folder: Path | None = None
    seeds: range = range(0)
    train: range = range(0)
    days: float = 30.0
    assets: int = 8
    shocks: float = 1.0
    jobs: int = 2
    keep: Path | None = None
    trigger: Trigger = "cascade"
    matrix: Matrix | None = None
    plots: Path | None = None
    tried: int = 1
    as_json: bool = False
    as_markdown: bool = False


def parse_seeds(text: str) -> range:
    """Return the seeds of ``A..B``, both included, or of ``A``. Raises ``ValueError`` for anything else."""
    first, _, last = text.partition("..")
    seeds = range(int(first), int(last or first) + 1)
    if not seeds or seeds[0] < 0:
        raise ValueError(f"{text!r} names no seeds; name A..B with A up to B")
    return seeds


def select_sources(request: Request) -> tuple[list[Source], list[Source]]:
    """Return the markets to train on and to test on. Raises ``click.UsageError`` unless one kind is named."""
    named = [bool(request.seeds), bool(request.paths), request.folder is not None]
    if sum(named) != 1:
        raise click.UsageError("nothing or too much to evaluate: name one of FILE..., --recordings DIR, --seeds A..B")
    if request.truth is not None and not request.paths:
        raise click.UsageError("--truth is for FILE only: simulated markets and recordings have their own")
    both = sorted(set(request.seeds) & set(request.train))
    if both:
        raise click.UsageError(f"seed {both[0]} is both trained and tested on: leave it out of --seeds or --train")
    like = (request.days, request.assets, request.shocks)
    train: list[Source] = [Simulated(seed, *like) for seed in request.train]
    if request.folder is not None:
        return train, find_recordings(request.folder)
    if request.paths:
        return train, [join_files(request.paths, request.truth)]
    return train, [Simulated(seed, *like) for seed in request.seeds]


def run(request: Request, settings: DetectorSettings) -> int:
    """Run ``cascade-monitor evaluate`` and return the exit status.

    Raises:
        OperatorError: there is nothing to evaluate, a file cannot be read, or matplotlib is missing for plots.
    """
    train, test = select_sources(request)
    if request.plots is not None:
        from monitor.lab.evaluate.plots import require_matplotlib

        require_matplotlib()
    plan = Plan(settings.model_dump_json(), request.trigger, True, request.matrix, request.plots)
    training = msgspec.structs.replace(plan, matrix=None, plots=None)
    errors = Console(stderr=True)
    markets = [(source, training) for source in train] + [(source, plan) for source in test]
    examined = examine_all(markets, request.jobs, request.keep, errors)
    trained, tested = examined[: len(train)], examined[len(train) :]
    empty = [market.exposure.world for market in tested if not market.events]
    if empty:
        raise OperatorError(f"{', '.join(empty)}: no events to evaluate")
    report = build_report(trained, tested, settings, trigger=request.trigger, tried=request.tried)
    if request.as_json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()
    elif request.as_markdown:
        click.echo(tables.render_markdown(report), nl=False)
    else:
        tables.print_report(report, plain_console())
    errors.print(_cpu_summary(examined), markup=False, highlight=False, soft_wrap=True)
    return 0


class Task(NamedTuple):
    """One market to examine, and the file in which its result is kept, if any."""

    source: Source
    plan: Plan
    slot: ResultFile | None


def examine_all(
    markets: Sequence[tuple[Source, Plan]], jobs: int, keep: Path | None, errors: Console
) -> list[Examination]:
    """Examine the markets whose results are not kept yet, several at once, and return all in the order given.

    Progress is shown on ``errors``. Charts are drawn while a market is examined, so a market with charts is always
    examined.
    """
    tasks = [Task(*market, None if keep is None else result_file(keep, *market)) for market in markets]
    done = {
        place: found
        for place, task in enumerate(tasks)
        if task.slot is not None and task.plan.plots is None and (found := task.slot.find()) is not None
    }
    if done:
        errors.print(f"{len(done)} of {len(tasks)} markets are read from {keep}", highlight=False, soft_wrap=True)
    todo = [place for place in range(len(tasks)) if place not in done]
    columns = (SpinnerColumn(), TextColumn("markets"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        shown = progress.add_task("markets", total=len(todo))
        for place, examined in _examined(tasks, todo, jobs):
            done[place] = examined
            progress.advance(shown)
    return [done[place] for place in range(len(tasks))]


def _examined(tasks: Sequence[Task], todo: Sequence[int], jobs: int) -> Iterator[tuple[int, Examination]]:
    """Yield results as they come; each process ends with its market, which frees its memory.

    Raises:
        OperatorError: one of the processes was killed.
    """
    if jobs == 1 or len(todo) < 2:
        yield from ((place, examine_and_keep(*tasks[place])) for place in todo)
        return
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_exit_with_parent, max_tasks_per_child=1
    ) as pool:
        futures = {pool.submit(examine_and_keep, *tasks[place]): place for place in todo}
        for future in as_completed(futures):
            try:
                examined = future.result()
            except BrokenProcessPool:
                raise OperatorError(
                    "a process that examined a market was killed, perhaps because memory ran out: start again with "
                    f"less than --jobs {jobs}; --keep DIR keeps the markets that are done"
                ) from None
            yield futures[future], examined


def _exit_with_parent() -> None:
    """Make this process exit when the process that started it is killed, because its result would be lost."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=wait, name="parent", daemon=True).start()


def _cpu_summary(examined: Sequence[Examination]) -> str:
    """Return one line with the number of events and the CPU seconds by kind of work."""
    total: dict[str, float] = {}
    for market in examined:
        for name, seconds in market.seconds.items():
            total[name] = total.get(name, 0.0) + seconds
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in total.items())
    plotted = sum(market.plotted for market in examined)
    return f"{sum(market.events for market in examined):,} events; CPU: {parts}" + (
        f"; {plotted} plots" if plotted else ""
    )
