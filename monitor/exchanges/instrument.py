"""Defines an instrument: the asset, the unit and the state of a symbol."""

from __future__ import annotations

import msgspec


class Instrument(msgspec.Struct, frozen=True):
    """An instrument of a venue, with what is needed to convert its prices and sizes.

    Attributes:
        symbol: the venue's own symbol, spelled as in its frames.
        asset: canonical base asset.
        units: number of ``asset`` coins in one unit of the symbol's base (1000 for ``1000PEPEUSDT``).
        contract_size: value of one contract, in the symbol's base units or in USD; 1.0 where the venue's sizes are
            base units already.
        contract_value_currency: unit of ``contract_size``, ``base`` or ``usd``.
        trading: True if it is open for trading.
        onboard_us: time when trading began, microseconds since the Unix epoch; 0 if unknown.
        product: the venue's own name of the market that it belongs to (``inverse``, ``coin-futures``); empty where the
            venue has one market.
        key: identifier that frames use instead of the symbol (such as a market number); empty where they use the
            symbol.
        dated: True for a future with an expiry. Its liquidations and trades are counted for the asset; its mark price
            is not used.
    """

    symbol: str
    asset: str
    units: int
    contract_size: float
    contract_value_currency: str
    trading: bool = True
    onboard_us: int = 0
    product: str = ""
    key: str = ""
    dated: bool = False
