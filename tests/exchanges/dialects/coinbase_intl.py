"""Coinbase's side of the conversation, in the words of Deribit."""

from __future__ import annotations

from typing import ClassVar

from tests.exchanges.dialects import deribit


class CoinbaseIntl(deribit.Deribit):
    """JSON-RPC 2.0."""

    venue: ClassVar[str] = "coinbase-intl"
