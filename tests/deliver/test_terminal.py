import io

import pytest
from rich.console import Console

from monitor.deliver.terminal import PIPE_WIDTH, episode_table, moment, plain_console, usd
from monitor.model.signals import SideTotals
from monitor.model.summary import EpisodeSummary

MOMENT_US = 1_673_222_400_000_000  # 2023-01-09 00:00:00 UTC


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0"),
        (950.4, "950"),
        (12_340.0, "12.3k"),
        (4_560_000.0, "4.56M"),
        (1.234e9, "1.23B"),
        (-4.4e9, "-4.40B"),
        (1_234e9, "1,234.00B"),
    ],
)
def test_dollars_are_short(amount: float, text: str) -> None:
    """Three or four digits and a unit."""
    assert usd(amount) == text


def test_moments_are_utc() -> None:
    """To the second, with or without the day; a dash for what did not happen."""
    assert moment(MOMENT_US + 999_999) == "2023-01-09 00:00:00"
    assert moment(MOMENT_US, with_day=False) == "00:00:00"
    assert moment(None) == "-"


@pytest.mark.parametrize(("cascade_us", "bold"), [(MOMENT_US + 1_000_000, True), (None, False)])
def test_table_has_a_row_an_episode(cascade_us: int | None, bold: bool) -> None:
    """Every time, score and sum is in the row; episodes that became cascades stand out."""
    episode = EpisodeSummary(
        "BTC-long-1",
        "BTC",
        "long",
        MOMENT_US,
        cascade_us,
        MOMENT_US + 2_000_000,
        None,
        None,
        88.6,
        SideTotals(2.5e6, 1_500.0),
    )
    stream = io.StringIO()
    Console(file=stream, width=PIPE_WIDTH, force_terminal=True, color_system="standard").print(episode_table([episode]))
    (row,) = [line for line in stream.getvalue().splitlines() if "BTC" in line]
    assert ("\x1b[1m" in row.replace("\x1b[1mE", "")) == bold
    for text in ("long", "2023-01-09 00:00:00", "00:00:02", "89", "2.50M", "1.5k"):
        assert text in row
    assert ("00:00:01" in row) == bold


def test_pipe_gets_a_wide_plain_console(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal the table has room and no control codes."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    console = plain_console()
    assert console.width == PIPE_WIDTH
    console.print("[bold red]text[/]")
    assert capsys.readouterr().out == "text\n"


def test_terminal_keeps_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the terminal decides."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "77")
    assert plain_console().width == 77
