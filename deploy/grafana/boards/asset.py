"""Defines the dashboard *Asset*: one asset's windows, open interest, levels, funding, basis and price."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build

from deploy.grafana.boards.board import Row, board, of_series
from deploy.grafana.boards.overview import phase
from deploy.grafana.boards.parts import (
    BLUE,
    GREEN,
    OPEN,
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
    YELLOW,
    YES_NO,
    About,
    Axis,
    Builder,
    Query,
    lines,
    number,
    ranking,
    states,
)

SHORT = {"10s": SKY, "1m": ORANGE, "5m": VERMILION, "1h": BLUE}
LONG = {"4h": SKY, "24h": ORANGE, "7d": VERMILION, "30d": BLUE}
LEVELS = ((0, "above", GREEN), (1, "testing", YELLOW), (2, "broken", VERMILION), (3, "stale", SKY))


def asset() -> build.Dashboard:
    """Return the dashboard."""
    return board(
        "cascade-asset",
        "Asset",
        "One asset: its phase with the evidence, liquidations, open interest, levels, funding, basis.",
        [
            Row("Now", _now()),
            Row("Liquidated", _liquidated()),
            Row("Open interest", _interest()),
            Row("Levels and holders", _levels()),
            Row("Around it", _around()),
        ],
        of_series("asset", "Asset", "cascade_risk_score"),
        episodes='max by (asset, direction) (cascade_episode_active{asset="$asset"})',
    )


def _metric(name: str, by: str = "", more: str = "") -> str:
    kept = f" by ({by})" if by else ""
    return f'max{kept} (cascade_{name}{{asset="$asset"{more}}})'


def _now() -> list[Builder]:
    return [
        number(
            About("Phase", "Phase of this asset.", PLAIN, "cascade"),
            Query(phase('asset="$asset"'), "phase"),
            axis=Axis(high=3),
            states=PHASES,
        ),
        number(
            About("Risk", "Risk score of this asset, 0 to 100.", PLAIN, "cascade"),
            Query(_metric("risk_score"), "risk"),
            axis=Axis(high=100),
            steps=RISK,
        ),
        number(
            About("Coverage", "Share of the liquidated USD that comes from complete feeds.", SHARE, "cascade"),
            Query(_metric("feed_coverage_ratio"), "coverage"),
            axis=TO_ONE,
        ),
        number(About("Price", "Last mark price.", USD, "cascade"), Query(_metric("mark_price_usd"), "price")),
        lines(
            About(
                "Risk", "Risk score; dashed lines: thresholds of building, cascade and fast cascade.", PLAIN, "cascade"
            ),
            Query(_metric("risk_score"), "risk"),
            axis=Axis(high=100),
            colours={},
            steps=RISK,
        ),
        lines(
            About("Price", "Mark price.", USD, "cascade"),
            Query(_metric("mark_price_usd"), "price"),
            axis=OPEN,
            colours={},
        ),
        ranking(
            About("Evidence", "Points of the score by feature, while the asset is not calm.", PLAIN, "cascade"),
            Query(f"sort_desc({_metric('evidence_points', 'feature')})", "{{feature}}"),
            axis=Axis(high=100),
        ),
        lines(
            About(
                "Fall from the high",
                "Distance of the price below the window's high, as a share of the high.",
                SHARE,
                "cascade",
            ),
            Query(_metric("drawdown_ratio", "window"), "{{window}}"),
            colours=SHORT | LONG | {"30s": PURPLE},
        ),
    ]


def _liquidated() -> list[Builder]:
    found: list[Builder] = [
        lines(
            About(
                f"{side.title()}s, {length} windows",
                "Liquidated within the window as reported, which is a lower bound.",
                USD,
                "cascade",
            ),
            Query(_metric("liquidated_usd", "window", f', side="{side}", window=~"{"|".join(colours)}"'), "{{window}}"),
            colours=colours,
        )
        for length, colours in (("short", SHORT), ("long", LONG))
        for side in SIDES
    ]
    pace = About(
        "Pace",
        "Ratio of the liquidated USD per day of the shorter window to the longer; below 1 the pace slows.",
        PLAIN,
        "cascade",
    )
    coverage = About(
        "Coverage", "Share of the window's hours in which any event of the asset was received.", SHARE, "cascade"
    )
    corrected = About(
        "A minute with what is hidden",
        "Low, middle and high estimate including hidden liquidations; an unbounded high is missing.",
        USD,
        "cascade",
    )
    return [
        *found,
        lines(
            corrected,
            Query(_metric("liquidated_usd_corrected", "side, estimate"), "{{side}} {{estimate}}"),
            colours=SIDES,
        ),
        lines(pace, Query(_metric("pace_ratio", "side, windows"), "{{side}} {{windows}}"), colours=SIDES),
        lines(coverage, Query(_metric("pace_covered_ratio", "window"), "{{window}}"), axis=TO_ONE, colours=LONG),
    ]


def _interest() -> list[Builder]:
    change = 'max by (window) (cascade_open_interest_change_ratio{asset="$asset", basis="%s"})'
    return [
        lines(
            About("Open interest", "Open interest of one side, USD.", USD, "cascade"),
            Query(_metric("open_interest_usd"), "open interest"),
            colours={},
        ),
        lines(
            About(
                "Closed over liquidated",
                "Open interest closed within 5 minutes over what was reported liquidated; grows where feeds hide.",
                PLAIN,
                "cascade",
            ),
            Query(_metric("open_interest_implied_forced_ratio"), "ratio"),
            axis=SIGNED,
            colours={},
        ),
        lines(
            About(
                "Change in USD",
                "Change of open interest in USD by window, including the price's move.",
                SHARE,
                "cascade",
            ),
            Query(change % "usd", "{{window}}"),
            axis=SIGNED,
            colours=SHORT | LONG,
        ),
        lines(
            About(
                "Change at constant prices",
                "Net contracts opened or closed by window, at constant prices.",
                SHARE,
                "cascade",
            ),
            Query(change % "constant_price", "{{window}}"),
            axis=SIGNED,
            colours=SHORT | LONG,
        ),
        lines(
            About("Age of open interest", "Age of the oldest sample in the sum.", SECONDS, "cascade"),
            Query(_metric("open_interest_age_seconds"), "age"),
            colours={},
        ),
        states(
            About(
                "Open interest suspect",
                "Yes if an exchange's open interest changed by more than was traded there.",
                PLAIN,
                "cascade",
            ),
            Query(_metric("open_interest_suspect"), "suspect"),
            names=YES_NO,
        ),
    ]


def _levels() -> list[Builder]:
    state = " + ".join(
        f'{place} * max by (level) (cascade_level_state{{asset="$asset", state="{name}"}})' for place, name, _ in LEVELS
    )
    return [
        lines(
            About(
                "Distance to levels",
                "Distance of the price from the configured level, as a share of it; negative below.",
                SHARE,
                "cascade",
            ),
            Query(_metric("level_distance_ratio", "level"), "{{level}}"),
            axis=SIGNED,
            colours={},
        ),
        states(
            About("Levels", "State of each configured level.", PLAIN, "cascade"),
            Query(state, "{{level}}"),
            names=LEVELS,
        ),
        lines(
            About("Holders' profit", "Unrealised profit of the configured large holders.", USD, "cascade"),
            Query(_metric("holding_pnl_usd", "holder"), "{{holder}}"),
            axis=SIGNED,
            colours={},
        ),
        lines(
            About(
                "Distance to holders' cost",
                "Distance of the price from the holders' cost, in standard deviations of a day's return.",
                PLAIN,
                "cascade",
            ),
            Query(_metric("holding_distance_sigma", "holder"), "{{holder}}"),
            axis=SIGNED,
            colours={},
        ),
    ]


def _around() -> list[Builder]:
    signed = (
        (
            "Funding",
            "Funding per 8 hours, mean over exchanges weighted by open interest.",
            SHARE,
            "funding_rate_8h_ratio",
        ),
        (
            "Funding's surprise",
            "Distance from the 30-day median, in robust standard deviations.",
            PLAIN,
            "funding_deviations",
        ),
        ("Basis", "Mark price less index, over index, median over exchanges.", SHARE, "basis_ratio"),
    )
    plain = (
        ("Basis dispersion", "Highest less lowest basis of the exchanges.", SHARE, "basis_dispersion_ratio"),
        ("Implied volatility", "Annualised.", SHARE, "volatility_index_ratio"),
        (
            "Takers' variance",
            "Variance of takers' buys less sells by minute, 6 hours over 7 days.",
            PLAIN,
            "taker_variance_ratio",
        ),
    )
    fragility = About(
        "Fragility",
        "Mean rank within 30 days of open interest in coins, funding and the compression of takers' "
        "variance: how loaded a side is, no forecast.",
        SHARE,
        "cascade",
    )
    return [
        *(
            lines(
                About(title, description, unit, "cascade"), Query(_metric(name), title.lower()), axis=axis, colours={}
            )
            for group, axis in ((signed, SIGNED), (plain, Axis()))
            for title, description, unit, name in group
        ),
        lines(fragility, Query(_metric("fragility_ratio", "side"), "{{side}}"), axis=TO_ONE, colours=SIDES),
    ]
