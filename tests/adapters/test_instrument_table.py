from pathlib import Path

import pytest

from monitor.adapters.adapter import Instrument
from monitor.adapters.instrument_table import read_table
from monitor.errors import OperatorError


def test_table_gives_sizes_and_names_give_assets(tmp_path: Path) -> None:
    """Sizes come from the file, assets and bundles from the symbols."""
    path = tmp_path / "i.json"
    path.write_text(
        '{"BTC-USDT-SWAP": {"contract_size": 0.01, "contract_value_currency": "base"},'
        ' "BTC-USD-SWAP": {"contract_size": 100, "contract_value_currency": "usd", "more": 1}}'
    )
    assert read_table(path) == {
        "BTC-USDT-SWAP": Instrument("BTC-USDT-SWAP", "BTC", 1, 0.01, "base"),
        "BTC-USD-SWAP": Instrument("BTC-USD-SWAP", "BTC", 1, 100.0, "usd"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"X": {}}',
        '{"X": {"contract_size": 0, "contract_value_currency": "usd"}}',
        '{"X": {"contract_size": 1, "contract_value_currency": "eur"}}',
    ],
)
def test_what_is_no_table_is_refused_with_its_form(tmp_path: Path, text: str) -> None:
    """A missing, zero or odd size is never a default: the file is refused, and its form is said."""
    path = tmp_path / "i.json"
    path.write_text(text)
    with pytest.raises(OperatorError, match=r"i\.json: .*; the file must hold \{"):
        read_table(path)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(OperatorError, match="none: cannot be read: No such file"):
        read_table(tmp_path / "none")
