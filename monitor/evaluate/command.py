"""``cascade-monitor evaluate``: examine markets in a pool of processes, print tables, or JSON for a machine."""

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

from monitor.cascade.settings import DetectorSettings
from monitor.errors import OperatorError
from monitor.evaluate import tables
from monitor.evaluate.examine import Examined, Matrix, Plan
from monitor.evaluate.keep import Slot, examine_and_keep, slot
from monitor.evaluate.markets.cases import Simulated, Source, files, recordings
from monitor.evaluate.report import build
from monitor.evaluate.trials.alerts import Trigger
from monitor.report import plain_console


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for on the command line; see the command's help."""

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


def seeds_of(text: str) -> range:
    """The seeds from ``A`` to ``B``, both included, of ``A..B`` or ``A``. Raises ``ValueError``."""
    first, _, last = text.partition("..")
    seeds = range(int(first), int(last or first) + 1)
    if not seeds or seeds[0] < 0:
        raise ValueError(f"no seeds in {text!r}")
    return seeds


def sources_of(request: Request) -> tuple[list[Source], list[Source]]:
    """The markets to train on and to test on. Raises ``click.UsageError`` where nothing or two things are asked."""
    asked = [bool(request.seeds), bool(request.paths), request.folder is not None]
    if sum(asked) != 1:
        raise click.UsageError("name one of: FILE..., --recordings DIR, --seeds A..B")
    if request.truth is not None and not request.paths:
        raise click.UsageError("--truth goes with FILE: simulated markets have theirs")
    both = sorted(set(request.seeds) & set(request.train))
    if both:
        raise click.UsageError(f"seed {both[0]} is both trained and tested on")
    like = (request.days, request.assets, request.shocks)
    train: list[Source] = [Simulated(seed, *like) for seed in request.train]
    if request.folder is not None:
        return train, recordings(request.folder)
    if request.paths:
        return train, [files(request.paths, request.truth)]
    return train, [Simulated(seed, *like) for seed in request.seeds]


def run(request: Request, settings: DetectorSettings) -> int:
    """What ``cascade-monitor evaluate`` does; returns the exit status.

    Raises:
        OperatorError: nothing to evaluate, files that cannot be read, or plots without matplotlib.
    """
    train, test = sources_of(request)
    if request.plots is not None:
        from monitor.evaluate.plots import require

        require()
    plan = Plan(settings.model_dump_json(), request.trigger, True, request.matrix, request.plots)
    training = msgspec.structs.replace(plan, matrix=None, plots=None)
    errors = Console(stderr=True)
    markets = [(source, training) for source in train] + [(source, plan) for source in test]
    examined = examine_all(markets, request.jobs, request.keep, errors)
    trained, tested = examined[: len(train)], examined[len(train) :]
    empty = [market.exposure.world for market in tested if not market.events]
    if empty:
        raise OperatorError(f"no event in {', '.join(empty)}")
    report = build(trained, tested, settings, trigger=request.trigger, tried=request.tried)
    if request.as_json:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()
    elif request.as_markdown:
        click.echo(tables.markdown(report), nl=False)
    else:
        tables.show(report, plain_console())
    errors.print(_costs(examined), markup=False, highlight=False, soft_wrap=True)
    return 0


class Task(NamedTuple):
    """A market to examine, and where to keep the result."""

    source: Source
    plan: Plan
    slot: Slot | None


def examine_all(
    markets: Sequence[tuple[Source, Plan]], jobs: int, keep: Path | None, errors: Console
) -> list[Examined]:  # fmt: skip
    """Examine the markets that are not kept yet, several at once, and show how far it is; in the order given.

    Charts are drawn while a market is examined, so that a market with charts is always examined.
    """
    tasks = [Task(*market, None if keep is None else slot(keep, *market)) for market in markets]
    done = {
        place: found
        for place, task in enumerate(tasks)
        if task.slot is not None and task.plan.plots is None and (found := task.slot.find()) is not None
    }
    if done:
        errors.print(f"{len(done)} of {len(tasks)} markets were kept in {keep}", highlight=False, soft_wrap=True)
    todo = [place for place in range(len(tasks)) if place not in done]
    columns = (SpinnerColumn(), TextColumn("markets"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        shown = progress.add_task("markets", total=len(todo))
        for place, examined in _examined(tasks, todo, jobs):
            done[place] = examined
            progress.advance(shown)
    return [done[place] for place in range(len(tasks))]


def _examined(tasks: Sequence[Task], todo: Sequence[int], jobs: int) -> Iterator[tuple[int, Examined]]:
    """Results as they come; each process ends with its market and gives back its memory.

    Raises:
        OperatorError: one of them was killed.
    """
    if jobs == 1 or len(todo) < 2:
        yield from ((place, examine_and_keep(*tasks[place])) for place in todo)
        return
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_end_with_parent, max_tasks_per_child=1
    ) as pool:
        futures = {pool.submit(examine_and_keep, *tasks[place]): place for place in todo}
        for future in as_completed(futures):
            try:
                examined = future.result()
            except BrokenProcessPool:
                raise OperatorError(
                    "a process that examined a market was killed, perhaps because the memory ran out: start again with "
                    f"less than --jobs {jobs}; --keep DIR keeps the markets that are done"
                ) from None
            yield futures[future], examined


def _end_with_parent() -> None:
    """Have this process end when the one that started it was killed: nobody would take its result."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=wait, name="parent", daemon=True).start()


def _costs(examined: Sequence[Examined]) -> str:
    """Where the time went."""
    total: dict[str, float] = {}
    for market in examined:
        for name, seconds in market.seconds.items():
            total[name] = total.get(name, 0.0) + seconds
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in total.items())
    plotted = sum(market.plotted for market in examined)
    return f"{sum(market.events for market in examined):,} events; CPU: {parts}" + (
        f"; {plotted} plots" if plotted else ""
    )
