"""Makes calm before the scenario as contract events, from which a detector learns its baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from monitor.lab.simulate.listings import BINANCE_USDM, BYBIT, OKX, Asset, Listing
from monitor.lab.simulate.market import Market
from monitor.lab.simulate.tape import ForcedOrder, Print, Quote, Step
from monitor.lab.simulate.throttle import OnePerSecond
from monitor.model.events import (
    MICROS,
    AnyEvent,
    Coverage,
    Liquidation,
    MarkPrice,
    OpenInterest,
    TradeBar,
)

STEP_US: Final = MICROS
"""Step of the history, microseconds: a second suits windows of whole seconds, and an hour takes a few seconds."""
INTEREST_US: Final = 5 * MICROS
COVERAGE: Final[dict[str, Coverage]] = {BINANCE_USDM: "latest_per_second", BYBIT: "complete", OKX: "sampled"}
INTEREST_VENUES: Final = (BYBIT, OKX)
"""Venues that stream open interest; Binance has it by REST only."""


def history(market: Market, seconds: int) -> Iterator[AnyEvent]:
    """Advance the market by ``seconds`` and yield what a collector would have published, by event time.

    Liquidations are those that feeds show (one a second and symbol where the venue throttles), trades are bars of a
    second, mark prices come every second, and open interest every five seconds from the venues that stream it.
    """
    throttle = OnePerSecond()
    for _ in range(seconds):
        step = market.step(STEP_US)
        assets = [one.asset for one in market.assets.values()]
        flow: list[Liquidation | TradeBar] = [*_liquidations(step, throttle), *_bars(step)]
        yield from sorted(flow, key=lambda event: event.event_time_us)
        yield from _quotes(step, assets)


def _liquidations(step: Step, throttle: OnePerSecond) -> Iterator[Liquidation]:
    for order in step.forced:
        if order.listing.venue == BYBIT or throttle.feed([order]):
            yield _liquidation(order)


def _liquidation(order: ForcedOrder) -> Liquidation:
    listing = order.listing
    on_fill = listing.venue == BINANCE_USDM
    micro_usd = order.filled_micro_usd if on_fill else order.bankruptcy_micro_usd
    return Liquidation(
        venue=listing.venue,
        symbol=listing.symbol,
        asset=listing.asset,
        event_time_us=order.time_us,
        receive_time_us=order.time_us,
        side=order.side,
        notional_usd=micro_usd / MICROS,
        coverage=COVERAGE[listing.venue],
        id=f"{listing.venue}:{listing.symbol}:history:{order.time_us}:{order.order_id}",
        quantity=listing.base_quantity(order.lots),
        price=listing.price(order.fill_ticks if on_fill else order.bankruptcy_ticks),
        price_kind="average_fill" if on_fill else "bankruptcy",
    )


def _bars(step: Step) -> Iterator[TradeBar]:
    by_listing: dict[Listing, list[Print]] = {}
    for one in step.prints:
        by_listing.setdefault(one.listing, []).append(one)
    for listing, prints in by_listing.items():
        yield _bar(listing, prints, step)


def _bar(listing: Listing, prints: Sequence[Print], step: Step) -> TradeBar:
    prices = [listing.price(one.ticks) for one in prints]
    buys = [one for one in prints if one.taker_side == "buy"]
    sells = [one for one in prints if one.taker_side == "sell"]
    return TradeBar(
        venue=listing.venue,
        symbol=listing.symbol,
        asset=listing.asset,
        event_time_us=step.end_us,
        receive_time_us=step.end_us,
        interval_us=step.end_us - step.start_us,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        buy_quantity=listing.base_quantity(sum(one.lots for one in buys)),
        sell_quantity=listing.base_quantity(sum(one.lots for one in sells)),
        buy_usd=sum(listing.micro_usd(one.ticks, one.lots) for one in buys) / MICROS,
        sell_usd=sum(listing.micro_usd(one.ticks, one.lots) for one in sells) / MICROS,
        trades=len(prints),
    )


def _quotes(step: Step, assets: Sequence[Asset]) -> Iterator[MarkPrice | OpenInterest]:
    for asset in assets:
        quote = step.quotes[asset.name]
        for listing in asset.listings.values():
            yield _mark(listing, quote, step.end_us)
            if listing.venue in INTEREST_VENUES and step.end_us % INTEREST_US == 0:
                quantity = listing.base_quantity(quote.venue_lots[listing.venue])
                yield OpenInterest(
                    venue=listing.venue,
                    symbol=listing.symbol,
                    asset=listing.asset,
                    event_time_us=step.end_us,
                    receive_time_us=step.end_us,
                    open_interest=quantity,
                    open_interest_usd=quantity * quote.mark_price,
                )


def _mark(listing: Listing, quote: Quote, time_us: int) -> MarkPrice:
    return MarkPrice(
        venue=listing.venue,
        symbol=listing.symbol,
        asset=listing.asset,
        event_time_us=time_us,
        receive_time_us=time_us,
        mark_price=listing.price(listing.ticks(quote.mark_price)),
        index_price=listing.price(listing.ticks(quote.index_price)),
        funding_rate=quote.funding_rate,
        next_funding_time_us=quote.next_funding_us,
    )
