from __future__ import annotations

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from monitor.detect.settings import DetectorSettings
from monitor.lab.evaluate.examine import Examination
from monitor.lab.evaluate.markets.truth import Label
from monitor.lab.evaluate.measures.compare import compare
from monitor.lab.evaluate.report import DETECTOR, Report, blocks_of, build_report, config_hash, false_alarms
from monitor.lab.evaluate.tables import print_report, render_markdown
from monitor.lab.evaluate.trials.alerts import Alert
from monitor.lab.evaluate.trials.baselines import ALWAYS_OFF, PRICE_ONLY, RULES
from monitor.lab.evaluate.trials.outcomes import Outcome, ScoreCount, judge
from monitor.model.events import MICROS, Side
from tests.lab.evaluate.tapes import START, label, unbroken

DAY = 86_400
DAYS = 360
BESIDE: tuple[tuple[str, Side], ...] = (("SOL", "long"), ("ETH", "long"), ("XRP", "short"), ("MARKET", "long"))


def alert(day: float, second: int = 0) -> Alert:
    at = round(START + day * DAY) + second
    return Alert("BTC", "long", at * MICROS, (at + 60) * MICROS)


def events() -> list[Label]:
    """Return one event every twenty days, an hour long; the second and the last one are mild."""
    return [
        label(round(day * DAY), round(day * DAY) + 3_600, severity=1 if day in (30, 350) else 2)
        for day in range(10, DAYS, 20)
    ]


def market(world: str, late_s: int = 10) -> Examination:
    """A year in which the detector finds all but the last event, and the price rule all, a minute later.

    The rule at its n-th threshold raises a false alarm on every (n + 1)-th day.
    """
    exposure = unbroken(world, ("BTC",), START * MICROS, (START + DAYS * DAY) * MICROS)
    labels = events()
    days = [(one.onset_us // MICROS - START) / DAY for one in labels]

    def judged(alerts: list[Alert]) -> Outcome:
        return judge(alerts, labels, exposure, {})

    detector = judged([alert(day, late_s) for day in days[:-1]] + [alert(5.5)])
    rules: dict[str, list[Outcome]] = {rule.name: [judged([]) for _ in rule.thresholds] for rule in RULES}
    rules[PRICE_ONLY] = [
        judged([alert(day, late_s + 60) for day in days] + [alert(day + 0.5) for day in range(0, DAYS, step + 1)])
        for step in range(len(rules[PRICE_ONLY]))
    ]
    weeks = {name: [ScoreCount(0.0, 1_000, 1), ScoreCount(70.0, 10, 8)] for name in ("2023-W46", "2023-W47")}
    return Examination(
        exposure=exposure,
        events=1,
        labels=labels,
        detector=detector,
        market=judged([]),
        points=weeks,
        true_course=True,
        rules=rules,
        degraded={},
        whole={"without okx": judged([alert(day, late_s) for day in days[:9]])},
        placebos={"24 h later": judged([])},
        chance=None,
        after_spikes=0,
        plotted=0,
        seconds={"detector": 1.0},
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report([market("train")], [market("a"), market("b")], DetectorSettings(), trigger="cascade", tried=3)


def test_baselines_stand_beside_the_detector(report: Report) -> None:
    """Each baseline is shown at the thresholds of the train market, the price also at the detector's recall."""
    by_name = {row.name: row for row in report.figures}
    assert by_name[DETECTOR].recall.value == pytest.approx(17 / 18)
    assert by_name[f"{PRICE_ONLY}, equal recall"].recall.value == 1.0
    budgeted = by_name[f"{PRICE_ONLY}, up to 4 a month"]
    assert budgeted.threshold is not None
    assert budgeted.false.value == pytest.approx(45 / 12, rel=0.02)  # every eighth day
    assert by_name[f"{PRICE_ONLY}, up to 1 a month"].false.value == pytest.approx(1.0, abs=0.1)
    assert by_name[ALWAYS_OFF].recall.value == 0.0


def test_the_comparison_is_paired(report: Report) -> None:
    """A minute more lead is a minute in every draw, and a share of the false alarms is avoided."""
    rows = {row.baseline: row for row in report.comparisons}
    assert set(rows) == {name for name in rows if name.startswith(PRICE_ONLY)}
    row = rows[f"{PRICE_ONLY}, up to 4 a month"]
    assert row.lead[:3] == (60.0, 60.0, 60.0)
    assert row.recall.value == pytest.approx(-1 / 18)
    assert row.fewer.value == pytest.approx(1 - 1 / 45)
    assert row.false.high is not None
    assert row.false.high < 0


def test_walk_forward_trains_on_the_past_alone(report: Report) -> None:
    """A year has three folds, whose events and time are those after the first four months."""
    by_name = {row.name: row for row in report.walk_forward}
    assert by_name[DETECTOR].events == 2 * 12
    assert by_name[DETECTOR].months == pytest.approx(2 * 8.0)
    assert by_name[f"{PRICE_ONLY}, up to 4 a month"].false.value == pytest.approx(45 / 12, rel=0.1)


def test_probabilities_come_from_the_train_markets(report: Report) -> None:
    """Probabilities from the train markets are better than the base rate on the test markets."""
    assert report.calibration is not None
    squares = 2 * 0.8**2 + 8 * 0.2**2 + 0.999**2 + 999 * 0.001**2
    assert report.calibration.brier.value == pytest.approx(squares / 1_010)
    assert report.calibration.skill.value == pytest.approx(1 - squares / (9 * (1 - 9 / 1_010)))
    assert [(row.low, row.stated) for row in report.calibration.rows] == [(0.0, 0.001), (60.0, 0.8)]


def test_misses_and_false_alarms_name_their_market(report: Report) -> None:
    """Misses and false alarms name their market."""
    assert [(miss.world, miss.label.severity) for miss in report.missed] == [("a", 1), ("b", 1)]
    assert [(one.world, one.asset, one.beside) for one in report.false_alarms] == [("a", "BTC", []), ("b", "BTC", [])]
    assert report.configurations_tried == 3


def test_false_alarms_name_other_assets_in_an_event() -> None:
    """A false alarm names the other assets with an event of its side within the matching window."""
    others = [label(5 * DAY, 5 * DAY + 600, asset, side) for asset, side in BESIDE]
    times = (5 * DAY - 901, 5 * DAY - 900, 5 * DAY + 1_200, 5 * DAY + 1_201)
    exposure = unbroken("a", ("BTC",), START * MICROS, (START + DAYS * DAY) * MICROS)
    judged = judge([alert(0, at) for at in times], others, exposure, {})
    found = false_alarms([replace(market("a"), labels=others, detector=judged)])
    assert [one.beside for one in found] == [[], ["ETH", "SOL"], ["ETH", "SOL"], []]


def test_another_markets_alerts_are_a_placebo(report: Report) -> None:
    """Alerts of another market are a placebo; here both markets are equal, so it finds the same."""
    recalls = {row.name: row.recall.value for row in report.placebos}
    assert recalls == {"24 h later": 0.0, "another market's alerts": pytest.approx(17 / 18)}


def test_whole_runs_without_something_stand_beside_the_whole_run(report: Report) -> None:
    """A whole run with a loss is compared with the whole run without any."""
    plain, without = report.matrix_whole
    assert (plain.name, plain.lost.value, plain.false.n) == ("nothing lost", 0.0, 2)
    assert (without.name, without.false.n) == ("without okx", 0)
    assert without.lost.value == pytest.approx(100 * 8 / 18)
    assert without.false.high == pytest.approx(2.996 / 24, rel=1e-3)


def test_every_table_is_printed(report: Report) -> None:
    """The printed tables have the walk-forward, the comparison, the misses and the placebos."""
    words = io.StringIO()
    print_report(report, Console(file=words, width=180))
    for title in (
        "Walk-forward",
        "minus a baseline",
        "Missed: 2",
        "Clean false alarms: 2",
        "severity 2+",
        "By kind of event",
        "printed is the share of all forced orders",
        "missing for the whole run",
        "Placebos",
        "skill 0.71",
    ):
        assert title in words.getvalue()


def test_the_tables_are_markdown_as_well(report: Report) -> None:
    """Each table in Markdown has a title, a row of headings, a rule, and its rows."""
    lines = render_markdown(report).splitlines()
    place = lines.index("**The market as a whole**")
    assert lines[place + 2].startswith("|  | threshold | recall |")
    assert lines[place + 3].startswith("|:--|--:|--:|")
    assert lines[place + 4].startswith("| MARKET |")
    assert len({line.count("|") for line in lines[place + 2 : place + 5]}) == 1
    markets = lines.index("**Markets**")
    assert lines[markets + 2].startswith("| market | from | to | assets | asset-months watched | found |")
    assert lines[markets + 4].startswith("| a | 2023-11-15 | 2024-11-09 | 1 | 12.00 | 17/18 |")


def test_a_detector_compared_with_itself_differs_in_nothing() -> None:
    """A detector compared with itself has no difference in any draw."""
    outcomes = [market("a").detector]
    row = compare("self", outcomes, outcomes, blocks_of(outcomes))
    assert row.recall[:3] == row.false[:3] == row.lead[:3] == row.fewer[:3] == (0.0, 0.0, 0.0)


def test_the_hash_changes_with_any_setting() -> None:
    """The configuration's hash changes with any setting and with nothing else."""
    changed = DetectorSettings.model_validate({"phases": {"cascade_score": 61}})
    assert config_hash(DetectorSettings()) == config_hash(DetectorSettings()) != config_hash(changed)
    assert len(config_hash(changed)) == 12
