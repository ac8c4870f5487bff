"""An evaluation as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from monitor.evaluate.measures.calibration import Calibration
from monitor.evaluate.measures.compare import Comparison, MatrixRow
from monitor.evaluate.measures.figures import Figures
from monitor.evaluate.measures.groups import Group
from monitor.evaluate.measures.intervals import Estimate
from monitor.evaluate.report import FalseAlarm, Miss, Report, WorldRow
from monitor.evaluate.trials.outcomes import AHEAD_MIN
from monitor.report import moment

SHOWN: Final = 40
"""Misses and false alarms that are listed; the JSON has all of them."""


def show(report: Report, console: Console) -> None:
    """Print every table that has rows."""
    for part in parts(report):
        console.print(part, markup=False, soft_wrap=isinstance(part, str))


def markdown(report: Report) -> str:
    """The same tables as Markdown, as ``docs/scorecard.md`` has them."""
    return "\n\n".join(part if isinstance(part, str) else _as_markdown(part) for part in parts(report)) + "\n"


def _as_markdown(table: Table) -> str:
    columns = [[str(column.header), *map(str, column.cells)] for column in table.columns]
    rules = [":--" if column.justify == "left" else "--:" for column in table.columns]
    first, *rows = ["| " + " | ".join(row) + " |" for row in zip(*columns, strict=True)]
    return "\n".join([f"**{table.title}**", "", first, "|" + "|".join(rules) + "|", *rows])


def parts(report: Report) -> Iterator[Table | str]:
    """Tables and sentences, in their order."""
    yield _head(report)
    yield world_table(report.worlds)
    yield found_table(report.figures)
    yield time_table(report.figures, report.printed_of)
    yield group_table(report.groups, report.printed_of)
    if report.comparisons:
        yield comparison_table(report.comparisons)
    if report.walk_forward:
        yield found_table(report.walk_forward, "Walk-forward: thresholds from the past, 30 days between")
    yield found_table([report.market], "The market as a whole")
    if report.calibration is not None:
        yield calibration_table(report.calibration)
        yield brier(report.calibration)
    elif not report.train:
        yield "Calibration: not without markets to train on"
    if report.matrix:
        title = "Robustness, from an hour before an event to ten minutes after it"
        yield matrix_table(report.matrix, title, only_near=True)
        if report.after_spikes is not None:
            yield f"{report.after_spikes} alerts came from bad prices alone."
    if report.matrix_whole:
        yield matrix_table(report.matrix_whole, "Robustness, lost for the whole run and never learned")
    yield matrix_table(report.placebos, "Placebos: recall must fall to chance")
    if report.chance is not None:
        yield f"Alerts at random times find {report.chance:.3f}."
    yield miss_table(report.missed) if report.missed else "Missed: none"
    yield false_table(report.false_alarms) if report.false_alarms else "Clean false alarms: none"
    for note in report.notes:
        yield f"Note: {note}"


def _head(report: Report) -> str:
    main = report.figures[0]
    return (
        f"Configuration {report.config_hash}, {report.configurations_tried} tried; an alert is the phase "
        f"{report.trigger}. {main.months:.1f} asset-months, {main.events} events. Thresholds of the baselines from: "
        f"{', '.join(report.train) or 'nothing, so only equal recall is shown'}. Brackets are 90 % intervals, by "
        "blocks of calendar week and asset; those of false alarms are exact for a Poisson count."
    )


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in words:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def shown(estimate: Estimate, digits: int = 2) -> str:
    """A figure with its interval; a dash where there is none."""
    value, low, high, _ = estimate
    if value is None:
        return "-"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _plain(estimate: Estimate, digits: int = 2) -> str:
    return "-" if estimate.value is None else f"{estimate.value:.{digits}f}"


def world_table(rows: Iterable[WorldRow]) -> Table:
    """Each market or recording."""
    table = _table(
        "Markets", ("market", "from", "to"),
        ("assets", "asset-months watched", "found", "of severity 2+", "false alarms", "near-misses", "market-wide",
         "false market-wide"),
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.world, moment(row.first_us)[:10], moment(row.last_us)[:10], str(row.assets),
            f"{row.months:.2f}", f"{row.found}/{row.events}", f"{row.severe_found}/{row.severe}", str(row.false),
            str(row.near_miss), f"{row.market_found}/{row.market_events}", str(row.market_false),
        )  # fmt: skip
    return table


def found_table(rows: Iterable[Figures], title: str = "Found and false") -> Table:
    """Recall, precision, false alarms."""
    table = _table(
        title, ("",),
        ("threshold", "recall", "severity 2+", "second waves", "precision", "clean false a month", "near-miss",
         "on decoys", "repeats", "carried"),
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.name, "" if row.threshold is None else f"{row.threshold:,.4g}",
            shown(row.recall), shown(row.severe), shown(row.waves), _plain(row.precision), shown(row.false),
            _plain(row.near_miss), str(row.decoys), str(row.repeats), str(row.carried),
        )  # fmt: skip
    return table


def time_table(rows: Iterable[Figures], printed_of: str) -> Table:
    """How early, and how good the end is."""
    table = _table(
        f"Times, seconds; printed: share of {printed_of}", ("",),
        ("delay", "p90", "from flow", "before rule", "lead to peak", "lead to low", "before peak", "printed at alert",
         "printed at relief", "re-entry", "changes an episode"),
    )  # fmt: skip
    for row in rows:
        table.add_row(
            row.name, shown(row.delay, 0), _plain(row.delay_p90, 0), shown(row.flow_delay, 0),
            _plain(row.before_met), shown(row.to_peak, 0), _plain(row.to_low, 0), _plain(row.before_peak),
            shown(row.printed), shown(row.relief_printed), _plain(row.reentry),
            "-" if row.changes is None else f"{row.changes:.1f}",
        )  # fmt: skip
    return table


def group_table(rows: Iterable[Group], printed_of: str) -> Table:
    """Where the misses are."""
    table = _table(
        f"By kind of event; printed: share of {printed_of}", ("kind",),
        ("found", "recall", "severity 1", "severity 2", "severity 3", "carried", "delay, s", "p90", "from flow",
         "rule met, s", "before rule", "lead to peak", "printed at alert"),
    )  # fmt: skip
    for row in rows:
        levels = [f"{one.found}/{one.events}" if one.events else "-" for one in row.by_severity.values()]
        table.add_row(
            row.kind.replace("_", " "), f"{row.count.found}/{row.count.events}", shown(row.recall), *levels,
            str(row.carried), shown(row.delay, 0), _plain(row.delay_p90, 0), shown(row.flow_delay, 0),
            _plain(row.met, 0), _plain(row.before_met), shown(row.to_peak, 0), shown(row.printed),
        )  # fmt: skip
    return table


def comparison_table(rows: Iterable[Comparison]) -> Table:
    """The detector less each baseline."""
    table = _table(
        "This detector less a baseline, paired", ("baseline",),
        ("recall", "clean false a month", "share fewer false", "lead to peak, s"),
    )  # fmt: skip
    for row in rows:
        table.add_row(row.baseline, shown(row.recall), shown(row.false), shown(row.fewer), shown(row.lead, 0))
    return table


def matrix_table(rows: Iterable[MatrixRow], title: str, *, only_near: bool = False) -> Table:
    """What each degradation costs; alerts that were watched for near events only are counted, they have no rate."""
    false = "clean false then" if only_near else "clean false a month"
    table = _table(title, ("",), ("recall", "points lost", "severity 2+", "points lost", false, "delay, s"))
    for row in rows:
        table.add_row(
            row.name, shown(row.recall), shown(row.lost, 1), shown(row.severe), shown(row.lost_severe, 1),
            str(row.false.n) if only_near else shown(row.false), "-" if row.delay is None else f"{row.delay:.0f}",
        )  # fmt: skip
    return table


def calibration_table(calibration: Calibration) -> Table:
    """Reliability: what was stated against what was seen."""
    table = _table(
        f"Calibration: an event now or within {AHEAD_MIN} minutes",
        ("score",),
        ("minutes", "probability stated", "share seen"),
    )
    for row in calibration.rows:
        name = f"{row.low:.0f} to {min(row.high, 100):.0f}"
        table.add_row(name, f"{row.minutes:,}", f"{row.stated:.3f}", shown(row.seen, 3))
    return table


def brier(calibration: Calibration) -> str:
    """Brier's score in words."""
    return (
        f"Brier's score {shown(calibration.brier, 5)}; always saying the base rate of "
        f"{shown(calibration.base_rate, 5)} scores {shown(calibration.climate, 5)}: skill {shown(calibration.skill)}."
    )


def miss_table(rows: Sequence[Miss]) -> Table:
    """Events that were not found, the worst first."""
    worst = sorted(rows, key=lambda row: (-row.label.severity, row.world, row.label.onset_us))
    table = _table(
        _title("Missed", len(rows)), ("market", "asset", "side", "onset", "kind"),
        ("severity", "depth, %", "forced, USD", "older alert up"),
    )  # fmt: skip
    for row in worst[:SHOWN]:
        label = row.label
        table.add_row(
            row.world, label.asset, label.direction, moment(label.onset_us), label.kind, str(label.severity),
            f"{label.drawdown_pct:.1f}", f"{label.forced_usd:,.0f}", "yes" if row.carried else "no",
        )  # fmt: skip
    return table


def false_table(rows: Sequence[FalseAlarm]) -> Table:
    """Clean false alarms."""
    beside = sum(bool(row.beside) for row in rows)
    words = f", {beside} of them beside another asset's event" if beside else ""
    title = _title("Clean false alarms", len(rows), words)
    table = _table(title, ("market", "asset", "side", "at", "on a decoy", "beside events of"), ())
    for row in rows[:SHOWN]:
        decoy = "yes" if row.decoy else "no"
        table.add_row(row.world, row.asset, row.direction, moment(row.at_us), decoy, ", ".join(row.beside))
    return table


def _title(what: str, count: int, words: str = "") -> str:
    return f"{what}: {count}{words}" + (f"; the first {SHOWN}" if count > SHOWN else "")
