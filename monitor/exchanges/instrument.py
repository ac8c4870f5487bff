"""Defines an instrument: what must be known of a symbol before its events can be trusted."""

from __future__ import annotations

import msgspec


class Instrument(msgspec.Struct, frozen=True):
    """Describes what must be known of a symbol before its events can be trusted.

    Attributes:
        symbol: the venue's own id, as its frames spell it.
        asset: canonical base asset.
        units: how many of ``asset`` one unit of the symbol's base stands for (1000 for ``1000PEPEUSDT``).
        contract_size: what one contract is worth, in the symbol's base units or in USD; 1.0 where the venue counts in
            base units, which is then the exchange's own unit and no default.
        contract_value_currency: ``base`` or ``usd``.
        trading: true if it trades now.
        onboard_us: when trading began, 0 where unknown.
        product: the venue's own word for the market that it belongs to (``inverse``, ``coin-futures``), empty where
            the venue has one market.
        key: what frames call it where that is not the symbol (a market number), else empty.
        dated: a future with a last day: its liquidations and trades are the asset's, its mark price is not.
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
