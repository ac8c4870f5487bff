"""Prints an evaluation as tables, on a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from monitor.deliver.terminal import moment
from monitor.lab.evaluate.measures.calibration import Calibration
from monitor.lab.evaluate.measures.compare import MatrixRow
from monitor.lab.evaluate.measures.figures import Figures
from monitor.lab.evaluate.measures.groups import Count
from monitor.lab.evaluate.measures.intervals import Estimate
from monitor.lab.evaluate.report import FalseAlarm, Miss, Report
from monitor.lab.evaluate.trials.outcomes import AHEAD_MIN

SHOWN: Final = 40
"""Number of misses and of false alarms that are listed; the JSON has all of them."""


class Column(NamedTuple):
    """One column: its heading, and the function that turns a row into the text of its cell."""

    heading: str
    cell: Callable[[Any], str]
    is_number: bool = True


def format_estimate(estimate: Estimate, digits: int = 2) -> str:
    """Return a figure with its interval, or a dash where there is none."""
    value, low, high, _ = estimate
    if value is None:
        return "-"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _format_value(estimate: Estimate, digits: int = 2) -> str:
    """Return a figure without its interval, or a dash where there is none."""
    return "-" if estimate.value is None else f"{estimate.value:.{digits}f}"


def _format_share(count: Count) -> str:
    return f"{count.found}/{count.events}" if count.events else "-"


def _estimate(name: str, digits: int = 2) -> Callable[[object], str]:
    """Return a cell function that shows the row's attribute ``name`` with its interval."""
    return lambda row: format_estimate(getattr(row, name), digits)


def _value(name: str, digits: int = 2) -> Callable[[object], str]:
    """Return a cell function that shows the row's attribute ``name`` without its interval."""
    return lambda row: _format_value(getattr(row, name), digits)


def _text(name: str) -> Callable[[object], str]:
    """Return a cell function that shows the row's attribute ``name`` as it is."""
    return lambda row: str(getattr(row, name))


WORLD_COLUMNS: Final[tuple[Column, ...]] = (
    Column("market", _text("world"), is_number=False),
    Column("from", lambda row: moment(row.first_us)[:10], is_number=False),
    Column("to", lambda row: moment(row.last_us)[:10], is_number=False),
    Column("assets", _text("assets")),
    Column("asset-months watched", lambda row: f"{row.months:.2f}"),
    Column("found", lambda row: f"{row.found}/{row.events}"),
    Column("of severity 2+", lambda row: f"{row.severe_found}/{row.severe}"),
    Column("false alarms", _text("false")),
    Column("near-misses", _text("near_miss")),
    Column("market-wide", lambda row: f"{row.market_found}/{row.market_events}"),
    Column("false market-wide", _text("market_false")),
)
FOUND_COLUMNS: Final[tuple[Column, ...]] = (
    Column("", _text("name"), is_number=False),
    Column("threshold", lambda row: "" if row.threshold is None else f"{row.threshold:,.4g}"),
    Column("recall", _estimate("recall")),
    Column("severity 2+", _estimate("severe")),
    Column("second waves", _estimate("waves")),
    Column("precision", _value("precision")),
    Column("clean false alarms a month", _estimate("false")),
    Column("near-misses a month", _value("near_miss")),
    Column("on decoys", _text("decoys")),
    Column("repeated alerts", _text("repeats")),
    Column("under an older alert", _text("carried")),
)
TIME_COLUMNS: Final[tuple[Column, ...]] = (
    Column("", _text("name"), is_number=False),
    Column("delay", _estimate("delay", 0)),
    Column("delay p90", _value("delay_p90", 0)),
    Column("delay from flow", _estimate("flow_delay", 0)),
    Column("before the rule held", _value("before_met")),
    Column("lead to peak", _estimate("to_peak", 0)),
    Column("lead to extreme", _value("to_low", 0)),
    Column("before peak", _value("before_peak")),
    Column("printed at alert", _estimate("printed")),
    Column("printed at relief", _estimate("relief_printed")),
    Column("cascade again within 30 min", _value("reentry")),
    Column("phase changes an episode", lambda row: "-" if row.changes is None else f"{row.changes:.1f}"),
)
GROUP_COLUMNS: Final[tuple[Column, ...]] = (
    Column("kind", lambda row: row.kind.replace("_", " "), is_number=False),
    Column("found", lambda row: f"{row.count.found}/{row.count.events}"),
    Column("recall", _estimate("recall")),
    Column("severity 1", lambda row: _format_share(row.by_severity["1"])),
    Column("severity 2", lambda row: _format_share(row.by_severity["2"])),
    Column("severity 3", lambda row: _format_share(row.by_severity["3"])),
    Column("under an older alert", _text("carried")),
    Column("delay", _estimate("delay", 0)),
    Column("delay p90", _value("delay_p90", 0)),
    Column("delay from flow", _estimate("flow_delay", 0)),
    Column("rule held after", _value("met", 0)),
    Column("before the rule held", _value("before_met")),
    Column("lead to peak", _estimate("to_peak", 0)),
    Column("printed at alert", _estimate("printed")),
)
COMPARISON_COLUMNS: Final[tuple[Column, ...]] = (
    Column("baseline", _text("baseline"), is_number=False),
    Column("recall", _estimate("recall")),
    Column("clean false alarms a month", _estimate("false")),
    Column("share of false alarms avoided", _estimate("fewer")),
    Column("lead to peak, s", _estimate("lead", 0)),
)
CALIBRATION_COLUMNS: Final[tuple[Column, ...]] = (
    Column("score", lambda row: f"{row.low:.0f} to {min(row.high, 100):.0f}", is_number=False),
    Column("minutes", lambda row: f"{row.minutes:,}"),
    Column("probability stated", lambda row: f"{row.stated:.3f}"),
    Column("share observed", _estimate("seen", 3)),
)
MISS_COLUMNS: Final[tuple[Column, ...]] = (
    Column("market", _text("world"), is_number=False),
    Column("asset", lambda row: row.label.asset, is_number=False),
    Column("side", lambda row: row.label.direction, is_number=False),
    Column("onset", lambda row: moment(row.label.onset_us), is_number=False),
    Column("kind", lambda row: row.label.kind, is_number=False),
    Column("severity", lambda row: str(row.label.severity)),
    Column("depth, %", lambda row: f"{row.label.drawdown_pct:.1f}"),
    Column("forced, USD", lambda row: f"{row.label.forced_usd:,.0f}"),
    Column("under an older alert", lambda row: "yes" if row.carried else "no"),
)
FALSE_ALARM_COLUMNS: Final[tuple[Column, ...]] = (
    Column("market", _text("world"), is_number=False),
    Column("asset", _text("asset"), is_number=False),
    Column("side", _text("direction"), is_number=False),
    Column("at", lambda row: moment(row.at_us), is_number=False),
    Column("on a decoy", lambda row: "yes" if row.decoy else "no", is_number=False),
    Column("near events of", lambda row: ", ".join(row.beside), is_number=False),
)


def print_report(report: Report, console: Console) -> None:
    """Print every table that has rows."""
    for part in report_parts(report):
        console.print(part, markup=False, soft_wrap=isinstance(part, str))


def render_markdown(report: Report) -> str:
    """Return the same tables as Markdown, as ``docs/scorecard.md`` has them."""
    rendered = (part if isinstance(part, str) else _table_as_markdown(part) for part in report_parts(report))
    return "\n\n".join(rendered) + "\n"


def _table_as_markdown(table: Table) -> str:
    columns = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    rules = [":--" if column.justify == "left" else "--:" for column in table.columns]
    first, *rows = ["| " + " | ".join(row) + " |" for row in zip(*columns, strict=True)]
    return "\n".join([f"**{table.title}**", "", first, "|" + "|".join(rules) + "|", *rows])


def report_parts(report: Report) -> Iterator[Table | str]:
    """Yield the tables and sentences of a report in their order."""
    yield _head(report)
    yield make_table("Markets", WORLD_COLUMNS, report.worlds)
    yield found_table(report.figures, "Recall and false alarms")
    printed = f"printed is the share of {report.printed_of} by then"
    yield make_table(f"Times in seconds; {printed}", TIME_COLUMNS, report.figures)
    yield make_table(f"By kind of event, times in seconds; {printed}", GROUP_COLUMNS, report.groups)
    if report.comparisons:
        yield make_table("This detector minus a baseline, paired", COMPARISON_COLUMNS, report.comparisons)
    if report.walk_forward:
        yield found_table(report.walk_forward, "Walk-forward: thresholds from the past, 30 days between")
    yield found_table([report.market], "The market as a whole")
    if report.calibration is not None:
        title = f"Calibration: an event now or within {AHEAD_MIN} minutes"
        yield make_table(title, CALIBRATION_COLUMNS, report.calibration.rows)
        yield brier_sentence(report.calibration)
    elif not report.train:
        yield "Calibration is left out: it needs markets to train on (--train)."
    if report.matrix:
        title = "Robustness, from an hour before an event to ten minutes after it"
        yield matrix_table(report.matrix, title, only_near_events=True)
        if report.after_spikes is not None:
            yield f"{report.after_spikes} alerts came from bad prices alone."
    if report.matrix_whole:
        yield matrix_table(report.matrix_whole, "Robustness, missing for the whole run")
    yield matrix_table(report.placebos, "Placebos: recall must fall to chance")
    if report.chance is not None:
        yield f"Alerts at random times find {report.chance:.3f}."
    yield miss_table(report.missed) if report.missed else "Missed: none"
    yield false_alarm_table(report.false_alarms) if report.false_alarms else "Clean false alarms: none"
    for note in report.notes:
        yield f"Note: {note}"


def _head(report: Report) -> str:
    main = report.figures[0]
    trained_on = ", ".join(report.train) or "nothing, so only equal recall is shown"
    return (
        f"Configuration {report.config_hash}, {report.configurations_tried} tried; an alert is the phase "
        f"{report.trigger}. {main.months:.1f} asset-months, {main.events} events. Thresholds of the baselines from: "
        f"{trained_on}. Brackets are 90 % intervals, by blocks of calendar week and asset; those of false alarms are "
        "exact for a Poisson count."
    )


def make_table(title: str, columns: Sequence[Column], rows: Iterable[object]) -> Table:
    """Return a table with one line a row; columns of numbers are aligned to the right."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        if column.is_number:
            table.add_column(column.heading, justify="right")
        else:
            table.add_column(column.heading, no_wrap=True)
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    return table


def found_table(rows: Iterable[Figures], title: str) -> Table:
    """Return the table of recall, precision and false alarms."""
    return make_table(title, FOUND_COLUMNS, rows)


def matrix_table(rows: Iterable[MatrixRow], title: str, *, only_near_events: bool = False) -> Table:
    """Return the table of what each degradation costs.

    False alarms near events are counted; they have no rate, because nothing else was watched.
    """
    false = (
        Column("clean false alarms then", lambda row: str(row.false.n))
        if only_near_events
        else Column("clean false alarms a month", _estimate("false"))
    )
    columns = (
        Column("", _text("name"), is_number=False),
        Column("recall", _estimate("recall")),
        Column("points lost", _estimate("lost", 1)),
        Column("severity 2+", _estimate("severe")),
        Column("points lost", _estimate("lost_severe", 1)),
        false,
        Column("delay, s", lambda row: "-" if row.delay is None else f"{row.delay:.0f}"),
    )
    return make_table(title, columns, rows)


def brier_sentence(calibration: Calibration) -> str:
    """Return Brier's score and the skill in a sentence."""
    base_rate, climate = format_estimate(calibration.base_rate, 5), format_estimate(calibration.climate, 5)
    return (
        f"Brier's score {format_estimate(calibration.brier, 5)}; always stating the base rate of {base_rate} scores "
        f"{climate}: skill {format_estimate(calibration.skill)}."
    )


def miss_table(rows: Sequence[Miss]) -> Table:
    """Return the table of events that were not found, the most severe first."""
    worst = sorted(rows, key=lambda row: (-row.label.severity, row.world, row.label.onset_us))
    return make_table(_list_title("Missed", len(rows)), MISS_COLUMNS, worst[:SHOWN])


def false_alarm_table(rows: Sequence[FalseAlarm]) -> Table:
    """Return the table of clean false alarms."""
    beside = sum(bool(row.beside) for row in rows)
    addition = f", {beside} of them near another asset's event" if beside else ""
    return make_table(_list_title("Clean false alarms", len(rows), addition), FALSE_ALARM_COLUMNS, rows[:SHOWN])


def _list_title(what: str, count: int, addition: str = "") -> str:
    return f"{what}: {count}{addition}" + (f"; the first {SHOWN}" if count > SHOWN else "")
