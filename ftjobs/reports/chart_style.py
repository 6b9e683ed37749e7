"""How the charts of a page look: in the page's colours, light and dark, and of sizes for screen and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ftjobs.reports.drawing import SCHEMA

Chart = Mapping[str, Any]
"""A chart as Vega-Lite describes it."""

INK, MUTED, RULE, ACCENT, PLAIN = "var(--ink)", "var(--muted)", "var(--rule)", "var(--accent)", "var(--plain)"
"""Colours by the page's names for them; `PLAIN` is what the accent stands out from."""

WIDE, NARROW, SMALL = 920, 348, 400
"""Widths in pixels: of a page, of a telephone, of one of several side by side."""

DOLLARS = "$,.6~r"
_UTC_DAY = "utc:'%Y-%m-%d'"
_AXIS = {
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "titleColor": MUTED,
    "labelColor": MUTED,
    "gridColor": RULE,
    "domainColor": RULE,
    "tickColor": RULE,
    "domain": False,
    "ticks": False,
    "labelPadding": 8,
    "titlePadding": 10,
}


def chart(
    rows: Sequence[Mapping[str, Any]],
    *,
    width: int,
    height: int,
    numbers: Sequence[str] = (),
    dates: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """Return a chart of these rows, `width` × `height` with its axes.

    `numbers` are fields that hold exact decimal strings, `dates` those that hold UTC days; the drawer reads both.
    """
    parse = {**dict.fromkeys(numbers, "number"), **dict.fromkeys(dates, _UTC_DAY)}
    return {
        "$schema": SCHEMA,
        "background": None,
        "width": width,
        "height": height,
        "padding": {"left": 0, "top": 4, "right": 4, "bottom": 0},
        "autosize": {"type": "fit", "contains": "padding"},
        "data": {"values": list(rows), "format": {"parse": parse}},
        "config": {
            "font": "Liberation Sans, Arial, sans-serif",
            "axis": _AXIS,
            "legend": {
                "labelFontSize": 12,
                "labelColor": INK,
                "symbolSize": 120,
                "title": None,
                "orient": "top",
                "columnPadding": 18,
            },
            "text": {"fontSize": 12, "fill": INK},
            "view": {"stroke": None},
        },
        **more,
    }


def one_day(day: date) -> dict[str, Any]:
    """Return data of one row, of which a mark is drawn once; its field is `day`."""
    return {
        "values": [{"day": day.isoformat()}]
    }  # ISO is read as UTC; told how to, the drawer would read it twice


def colours(names: Sequence[str], shades: Sequence[str], *, legend: bool = True) -> dict[str, Any]:
    """Return the encoding that gives each of these series its colour."""
    return {
        "field": "series",
        "type": "nominal",
        "scale": {"domain": list(names), "range": list(shades)},
        **({} if legend else {"legend": None}),
    }


def dollar_axis(field: str = "usd", *, title: str | None = None, ticks: int = 5) -> dict[str, Any]:
    """Return the encoding of an amount."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "axis": {"format": DOLLARS, "tickCount": ticks},
    }
