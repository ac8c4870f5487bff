"""The contract's instruments file: contract sizes for decoding without asking an exchange."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from monitor.adapters.adapter import Instrument
from monitor.assets import split_symbol
from monitor.errors import OperatorError


class _Entry(msgspec.Struct):
    contract_size: Annotated[float, msgspec.Meta(gt=0)]
    contract_value_currency: Literal["base", "usd"]


def read_table(path: Path) -> dict[str, Instrument]:
    """Read ``{"SYMBOL": {"contract_size": …, "contract_value_currency": "base"|"usd"}}``.

    Assets and bundles are read off the symbols' names.

    Raises:
        OperatorError: the file cannot be read or is not such an object.
    """
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=dict[str, _Entry])
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read: {error.strerror}; name another file") from error
    except msgspec.MsgspecError as error:
        wanted = '{"SYMBOL": {"contract_size": 0.01, "contract_value_currency": "base" or "usd"}}'
        raise OperatorError(f"{path}: {error}; the file must hold {wanted}") from error
    return {symbol: _instrument(symbol, entry) for symbol, entry in entries.items()}


def _instrument(symbol: str, entry: _Entry) -> Instrument:
    name = split_symbol(symbol)
    return Instrument(symbol, name.asset, name.units, entry.contract_size, entry.contract_value_currency)
