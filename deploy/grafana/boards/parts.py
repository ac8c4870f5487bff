"""Builds the parts of the dashboards: panels with title, description, unit and runbook, and their colours.

Colours are those of Okabe and Ito, made for the colour-blind (https://jfly.uni-koeln.de/color/), with a grey that is
visible on dark and light instead of black. A name has the same colour on every panel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitor.detect.settings import PhaseSettings

ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#999999"
PALETTE: Final = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE, GREY)

USD: Final = "currencyUSD"
SHARE: Final = "percentunit"
SECONDS: Final = "s"
RATE: Final = "cps"
PLAIN: Final = "short"
BYTES: Final = "bytes"
BYTE_RATE: Final = "Bps"

RUNBOOKS: Final = "https://runbooks.example"
SOURCE: Final = model.DataSourceRef("prometheus", "${datasource}")

VENUES: Final = (
    "binance-usdm",
    "bybit",
    "okx",
    "bitget",
    "gate",
    "htx",
    "hyperliquid",
    "binance-coinm",
    "deribit",
    "kraken",
    "dydx",
    "coinbase-intl",
    "aster",
    "bitmex",
)
"""Exchanges with a colour of their own; the second seven are dashed. All others are grey and named in the legend."""

State = tuple[float, str, str]
"""A value with its name and colour."""
STATES: Final[tuple[State, ...]] = ((0, "down", VERMILION), (1, "up", SKY))
VISIBILITY: Final[tuple[State, ...]] = (
    (0, "blind", GREY),
    (1, "starting", SKY),
    (2, "degraded", YELLOW),
    (3, "seeing", GREEN),
)
YES_NO: Final[tuple[State, ...]] = ((0, "no", SKY), (1, "yes", VERMILION))
PHASES: Final[tuple[State, ...]] = (
    (0, "calm", GREEN),
    (1, "relief", SKY),
    (2, "building", YELLOW),
    (3, "cascade", VERMILION),
)
RISK: Final = (
    (PhaseSettings().building_score, YELLOW),
    (PhaseSettings().cascade_score, ORANGE),
    (PhaseSettings().fast_score, VERMILION),
)
"""The default thresholds of the detector."""
SIDES: Final = {"long": VERMILION, "short": BLUE}
QUANTILES: Final = {"p50": SKY, "p99": VERMILION}

Builder = timeseries.Panel | stat.Panel | statetimeline.Panel | bargauge.Panel | table.Panel
B = TypeVar("B", timeseries.Panel, stat.Panel, statetimeline.Panel, bargauge.Panel, table.Panel)


class Query(NamedTuple):
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str


class Axis(NamedTuple):
    """Limits of the axis, None for automatic ones; values of both signs are drawn around zero."""

    low: float | None = 0
    high: float | None = None
    signed: bool = False


class About(NamedTuple):
    """A panel's title, description, unit and runbook."""

    title: str
    description: str
    unit: str
    runbook: str = "README"


FROM_ZERO: Final = Axis()
TO_ONE: Final = Axis(high=1)
SIGNED: Final = Axis(low=None, signed=True)
OPEN: Final = Axis(low=None)


def lines(
    about: About,
    *queries: Query,
    axis: Axis = FROM_ZERO,
    colours: Mapping[str, str] | None = None,
    steps: Sequence[tuple[float, str]] = (),
    width: int = 12,
) -> timeseries.Panel:
    """Return a panel of values over time.

    Args:
        about: title, description, unit and runbook.
        queries: the series to draw.
        axis: limits of the axis.
        colours: colours by a word in the series' name; None for those of the exchanges.
        steps: threshold lines, by value and colour.
        width: width in columns, of 24.
    """
    panel = _dressed(timeseries.Panel(), about, queries, axis, (width, 8))
    panel.line_width(2).fill_opacity(0).show_points(look.VisibilityMode.AUTO).axis_centered_zero(axis.signed)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(look.LegendDisplayMode.LIST)
        .placement(look.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI).sort(look.SortOrder.DESCENDING))
    panel.color_scheme(
        build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(GREY if colours is None else SKY)
    )
    if steps:
        panel.thresholds(_steps(steps))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(look.GraphThresholdsStyleMode.DASHED))
    for word, colour in (colours or {}).items():
        panel.override_by_regexp(rf"/\b{word}\b/", [_fixed(colour)])
    for index, venue in enumerate(VENUES if colours is None else ()):
        properties = [_fixed(PALETTE[index % 7])]
        if index >= 7:
            properties.append(model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}))
        panel.override_by_regexp(rf"/^{venue}\b/", properties)
    return panel


def number(
    about: About,
    *queries: Query,
    axis: Axis = FROM_ZERO,
    states: Sequence[State] = (),
    steps: Sequence[tuple[float, str]] = (),
    width: int = 6,
) -> stat.Panel:
    """Return a panel with the last value: a state by name and colour, or a number coloured by threshold."""
    panel = _dressed(stat.Panel(), about, queries, axis, (width, 5))
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_mode(look.BigValueColorMode.VALUE).graph_mode(look.BigValueGraphMode.AREA)
    if states:
        panel.mappings([_names(states)])
    panel.thresholds(
        _steps(steps or [(value, colour) for value, _, colour in states[1:]], states[0][2] if states else SKY)
    )
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    return panel


def ranking(
    about: About, *queries: Query, axis: Axis = FROM_ZERO, steps: Sequence[tuple[float, str]] = ()
) -> bargauge.Panel:
    """Return a panel of the present values as bars, coloured by threshold."""
    panel = _dressed(bargauge.Panel(), about, queries, axis, (12, 9), instant=True)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.orientation(look.VizOrientation.HORIZONTAL).display_mode(look.BarGaugeDisplayMode.BASIC)
    panel.thresholds(_steps(steps)).color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    return panel


def states(about: About, *queries: Query, names: Sequence[State], width: int = 12) -> statetimeline.Panel:
    """Return a panel of states over time, by name and colour."""
    panel = _dressed(statetimeline.Panel(), about, queries, Axis(high=names[-1][0]), (width, 8))
    panel.mappings([_names(names)]).show_value(look.VisibilityMode.NEVER).merge_values(True).row_height(0.8)
    panel.thresholds(_steps([(value, colour) for value, _, colour in names[1:]], names[0][2]))
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.legend(
        common.VizLegendOptions()
        .display_mode(look.LegendDisplayMode.LIST)
        .placement(look.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    return panel


def rows(about: About, query: Query, value: str, width: int = 12) -> table.Panel:
    """Return a table of the present series with their labels and, in the column ``value``, their value."""
    panel = _dressed(table.Panel(), about, (query,), FROM_ZERO, (width, 8), instant=True)
    panel.no_value("none")
    panel.with_transformation(
        model.DataTransformerConfig(
            "organize", options={"excludeByName": {"Time": True}, "renameByName": {"Value": value}}
        )
    )
    panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(SKY))
    return panel


def _dressed(
    panel: B, about: About, queries: Sequence[Query], axis: Axis, size: tuple[int, int], *, instant: bool = False
) -> B:
    """Add the properties that all kinds of panels have; ``size`` is the width and height on the grid."""
    panel.title(about.title).description(about.description).unit(about.unit).datasource(SOURCE)
    width, height = size
    panel.span(width).height(height)
    panel.links(
        [
            build.DashboardLink("Runbook")
            .type(model.DashboardLinkType.LINK)
            .url(f"{RUNBOOKS}/{about.runbook}.md")
            .target_blank(True)
        ]
    )
    if axis.low is not None:
        panel.min(axis.low)
    if axis.high is not None:
        panel.max(axis.high)
    for index, query in enumerate(queries):
        target = prometheus.Dataquery().ref_id("ABCDEFGH"[index]).expr(query.expr).legend_format(query.legend)
        target.datasource(SOURCE)
        if instant:
            target.instant().format(
                PromQueryFormat.TABLE if isinstance(panel, table.Panel) else PromQueryFormat.TIME_SERIES
            )
        else:
            target.range()
        panel.with_target(target)
    return panel


def _fixed(colour: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def _steps(steps: Sequence[tuple[float, str]], base: str = SKY) -> build.ThresholdsConfig:
    found = [model.Threshold(None, base), *(model.Threshold(value, colour) for value, colour in steps)]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def _names(names: Sequence[State]) -> model.ValueMap:
    return model.ValueMap(
        {
            f"{value:g}": model.ValueMappingResult(text, colour, None, place)
            for place, (value, text, colour) in enumerate(names)
        }
    )
