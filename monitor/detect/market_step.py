"""Steps of the market: a second that closes, and a step back in time. A market that raises is made anew."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.detect.asset_summary import AssetSummary
from monitor.detect.decide.visibility import Feeds
from monitor.detect.market import Market
from monitor.detect.quarantine import STEPPED_BACK, Quarantine, QuarantinedError, ended
from monitor.model.events import MARKET
from monitor.model.signals import Signal


def close_market(
    market: Market, quarantine: Quarantine, second: int, summaries: Iterable[AssetSummary], feeds: Feeds
) -> tuple[Market, list[Signal]]:
    """Give the market a second's summaries and close it; return it, or a new one if it raised, and its signals."""
    try:
        quarantine.admit(MARKET, second)
        for summary in summaries:
            market.take(summary)
        if market.scope.is_due(second):
            return market, market.close(second, feeds)
    except QuarantinedError:
        pass  # summaries meanwhile are passed over, as an asset's records are
    except Exception as error:  # noqa: BLE001  # the assets are judged on without the market
        quarantine.begin(market.scope, MARKET, second, error)
        market = Market(market.settings)
        market.scope.state.finished = quarantine.finished.pop(MARKET, [])
    return market, []


def market_at(market: Market, second: int) -> tuple[Market, list[Signal]]:
    """Return the market as of an earlier second, and the signals that end its episodes if it must be made anew."""
    if market.scope.state.second <= second:
        return market, []
    fresh = Market(market.settings)
    fresh.scope.state.finished = market.scope.state.finished
    return fresh, ended(market.scope, second, STEPPED_BACK)
