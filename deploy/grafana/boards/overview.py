"""Defines the dashboard *Cascade overview*: phases and risk now, their evidence, and the coverage."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.boards.board import Row, board
from deploy.grafana.boards.parts import (
    ORANGE,
    PHASES,
    PLAIN,
    PURPLE,
    RISK,
    SECONDS,
    SHARE,
    SIDES,
    SIGNED,
    SKY,
    TO_ONE,
    USD,
    VERMILION,
    VISIBILITY,
    About,
    Axis,
    Builder,
    Query,
    lines,
    number,
    ranking,
    rows,
    states,
)

ASSETS: Final = 'asset!~"MARKET|other"'
MARKET: Final = 'asset="MARKET"'


def phase(scope: str) -> str:
    """Return the query of the phase (0 calm, 1 relief, 2 building, 3 cascade) of the assets in ``scope``."""
    return " + ".join(
        f'{weight} * max by (asset) (cascade_phase{{phase="{name}", {scope}}})'
        for weight, name in ((1, "relief"), (2, "building"), (3, "cascade"))
    )


def overview() -> build.Dashboard:
    """Return the dashboard."""
    return board(
        "cascade-overview",
        "Cascade overview",
        "Phases and risk now, their evidence, and the coverage by feeds.",
        [
            Row("Now", [*_figures(), *_now()]),
            Row("Liquidated", _liquidated()),
            Row("How sure, and how much is hidden", _hidden()),
        ],
        build.CustomVariable("window").label("Window").values("1m,10s,5m,1h,24h"),
        episodes="max by (asset, direction) (cascade_episode_active)",
        span="now-30m",
    )


def _figures() -> list[Builder]:
    stressed = f'sum(max by (asset) (cascade_phase{{phase=~"building|cascade", {ASSETS}}}))'
    return [
        number(
            About("Market", "Phase of the market as a whole.", PLAIN, "cascade"),
            Query(phase(MARKET), "phase"),
            axis=Axis(high=3),
            states=PHASES,
        ),
        number(
            About("Risk of the market", "Risk score of the market, 0 to 100.", PLAIN, "cascade"),
            Query(f"max(cascade_risk_score{{{MARKET}}})", "risk"),
            axis=Axis(high=100),
            steps=RISK,
        ),
        number(
            About("Episodes", "Assets, the market among them, in which an episode lasts now.", PLAIN, "cascade"),
            Query("count(count by (asset) (cascade_episode_active)) or vector(0)", "episodes"),
            steps=[(1, ORANGE)],
        ),
        number(
            About("Breadth", "Share of the assets in which a cascade builds or runs.", SHARE, "cascade"),
            Query(f"{stressed} / count(count by (asset) (cascade_phase{{{ASSETS}}}))", "breadth"),
            axis=TO_ONE,
            steps=[(0.1, ORANGE), (0.4, VERMILION)],
        ),
    ]


def _now() -> list[Builder]:
    return [
        lines(
            About(
                "Risk",
                "The market's score and the highest of any asset; dashed: where building, cascade and fast "
                "cascade begin.",
                PLAIN,
                "cascade",
            ),
            Query(f"max(cascade_risk_score{{{MARKET}}})", "market"),
            Query(f"max(cascade_risk_score{{{ASSETS}}})", "highest asset"),
            axis=Axis(high=100),
            colours={"market": SKY, "highest": PURPLE},
            steps=RISK,
        ),
        states(
            About("Phases", "Phase of the market and of every asset; calm assets have a gap.", PLAIN, "cascade"),
            Query(phase(MARKET), "{{asset}}"),
            Query(f"({phase(ASSETS)}) > 0", "{{asset}}"),
            names=PHASES,
        ),
        ranking(
            About("Risk by asset", "The fifteen assets with the highest risk score.", PLAIN, "cascade"),
            Query(f"sort_desc(topk(15, max by (asset) (cascade_risk_score{{{ASSETS}}})))", "{{asset}}"),
            axis=Axis(high=100),
            steps=RISK,
        ),
        lines(
            About(
                "Spread over assets",
                "Number of equal assets with the same concentration of the last 5 minutes' liquidations.",
                PLAIN,
                "cascade",
            ),
            Query("max by (side) (cascade_effective_assets)", "{{side}}"),
            colours=SIDES,
        ),
        lines(
            About(
                "Lead",
                "Seconds by which the leader's returns come before the others' mean; negative: after.",
                SECONDS,
                "cascade",
            ),
            Query("max by (leader) (cascade_leader_lead_seconds)", "{{leader}}"),
            axis=SIGNED,
            colours={},
        ),
        lines(
            About(
                "Correlation with the leader",
                "Correlation of the leader's returns by second with the others' mean at that lead, -1 to 1.",
                PLAIN,
                "cascade",
            ),
            Query("max by (leader) (cascade_leader_correlation_ratio)", "{{leader}}"),
            axis=SIGNED,
            colours={},
        ),
        lines(
            About("Assets in stress", "Share of the top assets in stress within the last minute.", SHARE, "cascade"),
            Query("max(cascade_symbols_stressed_ratio)", "stressed"),
            axis=TO_ONE,
            colours={},
        ),
        lines(
            About(
                "Stress of traditional markets",
                "Surprise of the worst move of an index perpetual, decades: 3 is once in a thousand.",
                PLAIN,
                "cascade",
            ),
            Query("max(cascade_tradfi_stress_decades)", "stress"),
            colours={},
        ),
        rows(
            About(
                "Open episodes",
                "Assets and sides of the open episodes, with their highest severity (1 to 3).",
                PLAIN,
                "cascade",
            ),
            Query("max by (asset, direction, severity) (cascade_episode_active)", "{{asset}}"),
            "active",
        ),
    ]


def _liquidated() -> list[Builder]:
    return [
        lines(
            About(
                "Market by side", "Liquidated within the window as reported, which is a lower bound.", USD, "cascade"
            ),
            Query(f'max by (side) (cascade_liquidated_usd{{{MARKET}, window="$window"}})', "{{side}}"),
            colours=SIDES,
        ),
        lines(
            About("By exchange", "Liquidated a second, as each exchange reports it.", USD, "cascade"),
            Query("sum by (venue) (rate(cascade_liquidated_usd_total[$__rate_interval]))", "{{venue}}"),
        ),
        ranking(
            About("By asset", "The ten assets with most liquidated within the window, both sides.", USD, "cascade"),
            Query(
                f"sort_desc(topk(10, sum by (asset) (max by (asset, side) (cascade_liquidated_usd{{{ASSETS}, "
                'window="$window"}))))',
                "{{asset}}",
            ),
        ),
    ]


def _hidden() -> list[Builder]:
    visibility = " + ".join(
        f'{weight} * max by (job, instance) (cascade_visibility_state{{state="{name}"}})'
        for weight, name in ((1, "starting"), (2, "degraded"), (3, "seeing"))
    )
    return [
        lines(
            About(
                "Coverage",
                "Share of the liquidated USD that feeds show which report every order; the rest is from "
                "throttled feeds, so its sums are floors.",
                SHARE,
                "cascade",
            ),
            Query(f"quantile(0.5, cascade_feed_coverage_ratio{{{ASSETS}}})", "median asset"),
            Query(f"min(cascade_feed_coverage_ratio{{{ASSETS}}})", "lowest asset"),
            axis=TO_ONE,
            colours={"median": SKY, "lowest": PURPLE},
        ),
        lines(
            About(
                "Closed by open interest over liquidated",
                "Open interest that vanished within 5 minutes over what "
                "was reported liquidated: it grows where feeds hide.",
                PLAIN,
                "cascade",
            ),
            Query(f"max(cascade_open_interest_implied_forced_ratio{{{ASSETS}}})", "highest asset"),
            colours={"highest": PURPLE},
        ),
        lines(
            About(
                "Throttled feeds",
                "Share of the last minute's seconds with a report, of feeds of one a second: at 1 "
                "the hidden rest has no upper bound.",
                SHARE,
                "cascade",
            ),
            Query("max by (venue) (cascade_feed_saturation_ratio)", "{{venue}}"),
            axis=TO_ONE,
        ),
        lines(
            About(
                "Gaps",
                "Seconds of gaps within the last 5 minutes, summed over each exchange's connections.",
                "s",
                "feed-down",
            ),
            Query("sum by (venue) (increase(cascade_feed_gap_seconds_total[5m]))", "{{venue}}"),
        ),
        number(
            About(
                "Exchanges up", "Share of the configured exchanges with every connection up.", SHARE, "feed-degraded"
            ),
            Query("avg(max by (venue) (cascade_feed_up))", "up"),
            axis=TO_ONE,
            width=12,
        ),
        states(
            About(
                "Visibility",
                "Whether enough exchanges are connected: blind means that nothing can be detected and phases are old.",
                PLAIN,
                "all-feeds-down",
            ),
            Query(visibility, "{{job}} {{instance}}"),
            names=VISIBILITY,
        ),
        lines(
            About(
                "Time without enough exchanges",
                "Time for which a process has been starting, degraded or blind.",
                SECONDS,
                "all-feeds-down",
            ),
            Query(
                "time() - (max by (job, instance) (cascade_visibility_since_timestamp_seconds) > 0)",
                "{{job}} {{instance}}",
            ),
        ),
        lines(
            About(
                "Exchanges connected",
                "Exchanges that are connected, and exchanges that are expected to be.",
                PLAIN,
                "all-feeds-down",
            ),
            Query("max by (kind) (cascade_visibility_venues)", "{{kind}}"),
            colours={"connected": SKY, "expected": PURPLE},
        ),
    ]
