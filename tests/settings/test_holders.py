"""The list of large holders."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.settings import SettingsError, load
from monitor.settings.holders import read_holders
from tests.paths import ROOT

GOOD = """\
holders:
  - {holder: Strategy, asset: BTC, quantity: 712647, average_cost_usd: 76037, as_of: 2026-02-02, source: filing}
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_committed_list_is_used_by_the_committed_configuration() -> None:
    """configs/live.yaml names the list beside it, wherever the monitor is started."""
    settings = load(ROOT / "configs" / "live.yaml")
    assert settings.detector.holders == read_holders(ROOT / "configs" / "holders.yaml")
    assert [(each.holder, each.quantity) for each in settings.detector.holders] == [("Strategy", 712_647)]


def test_a_file_comes_on_top_of_what_stands_in_the_configuration(tmp_path: Path) -> None:
    """Both lists count; a relative path starts at the configuration's folder."""
    write(tmp_path / "holders.yaml", GOOD)
    inline = "{holder: X, asset: ETH, quantity: 1, average_cost_usd: 2, as_of: 2026-01-01, source: y}"
    path = write(tmp_path / "c.yaml", f"detector: {{holders_file: holders.yaml, holders: [{inline}]}}")
    assert [each.holder for each in load(path).detector.holders] == ["X", "Strategy"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("712647", "-1"), "holders.0.quantity: Input should be greater than 0"),
        (GOOD.replace("as_of: 2026-02-02, ", ""), "holders.0.as_of: Field required"),
        (GOOD.replace("source: filing", "source: filing, sauce: x"), "holders.0.sauce: Extra inputs"),
        ("- x", "file: Input should be"),
        ("holders: [", "is not YAML in line"),
    ],
)
def test_an_error_names_file_key_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong stops the start, with the place."""
    file = write(tmp_path / "holders.yaml", text)
    with pytest.raises(SettingsError) as caught:
        load(None, {"detector": {"holders_file": str(file)}})
    (problem,) = caught.value.problems
    assert problem.startswith(f"command line: detector.holders_file: {file}: ")
    assert said in problem
    assert "configs/holders.yaml" in problem


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """It is missing, or it is no text."""
    with pytest.raises(ValueError, match=r"nowhere.yaml: cannot be read: No such file"):
        read_holders(tmp_path / "nowhere.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ValueError, match=r"bytes.yaml: cannot be read: it is not UTF-8 text"):
        read_holders(tmp_path / "bytes.yaml")
