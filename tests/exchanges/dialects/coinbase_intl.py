"""Simulates a socket of Coinbase International, whose frames are those of Deribit."""

from __future__ import annotations

from typing import ClassVar

from tests.exchanges.dialects import deribit


class CoinbaseIntl(deribit.Deribit):
    """A JSON-RPC 2.0 socket."""

    venue: ClassVar[str] = "coinbase-intl"
