"""The loss of a job as pictures: a Vega-Lite chart that is drawn on this machine, with the fonts of the drawer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftjobs.jobs.curve import Curve
from ftjobs.jobs.job import Job
from ftjobs.reports import drawing
from ftjobs.reports.chart import series
from ftjobs.reports.envelope import clean

NEEDS_EXTRA = "no picture of the loss was drawn: pip install 'ftjobs[report]' adds them"

_SCALE = 2.0
_MOST_POINTS = 2_000
_NAMES = {"train_loss": "training", "valid_loss": "validation"}
_COLOURS = ("#1f5fa8", "#d9541e")
_INK, _FAINT = "#222222", "#5f6368"


def loss_pictures(curve: Curve, job: Job) -> Mapping[str, bytes]:
    """Return an SVG and a PNG of the loss by file name extension, none without a loss or without the drawer.

    ValueError where the drawer fails.
    """
    chart = loss_spec(curve, job)
    if chart is None or not drawing.can_draw():
        return {}
    return {"svg": drawing.svg_of(chart).encode(), "png": drawing.png_of(chart, scale=_SCALE)}


def loss_spec(curve: Curve, job: Job) -> dict[str, Any] | None:
    """Return the chart as Vega-Lite describes it, None without a loss to draw."""
    rows = _rows(curve)
    if not rows:
        return None
    names = [name for name in _NAMES.values() if any(row["series"] == name for row in rows)]
    scale = {"domain": names, "range": list(_COLOURS[: len(names)] if "training" in names else _COLOURS[1:])}
    legend = {"title": None, "orient": "top-right", "symbolStrokeWidth": 3, "symbolSize": 130, "symbolOpacity": 1}
    step = {
        "field": "step",
        "type": "quantitative",
        "title": "step",
        "scale": {"zero": False, "nice": False},
        "axis": {"format": ",d", "tickMinStep": 1, "tickCount": 10, "grid": False},
    }
    loss = {"field": "loss", "type": "quantitative", "title": "loss", "scale": {"zero": False}}
    marked = {"shape": "circle", "filled": True, "size": 60, "opacity": 1}
    return {
        "$schema": drawing.SCHEMA,
        "background": "white",
        "width": 720,
        "height": 360,
        "padding": 18,
        "title": {
            "text": f"Loss of {_short(job.id)}",
            "subtitle": _subtitle(job),
            "anchor": "start",
            "fontSize": 20,
            "subtitleFontSize": 13,
            "subtitleColor": _FAINT,
            "subtitlePadding": 6,
            "color": _INK,
            "offset": 14,
        },
        "data": {"values": rows},
        "encoding": {
            "x": step,
            "y": loss,
            "color": {"field": "series", "type": "nominal", "scale": scale, "legend": legend},
        },
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 2.5}},
            {
                "transform": [{"filter": "datum.series == 'validation' || datum.alone"}],
                "mark": {"type": "point", **marked},
            },
        ],
        "config": {
            "font": "Liberation Sans, Arial, sans-serif",
            "axis": {
                "labelFontSize": 13,
                "titleFontSize": 14,
                "titleFontWeight": "normal",
                "labelColor": _INK,
                "titleColor": _INK,
                "gridColor": "#e6e6e6",
                "domainColor": "#999999",
                "tickColor": "#999999",
                "titlePadding": 10,
            },
            "legend": {"labelFontSize": 14, "labelColor": _INK},
            "view": {"stroke": None},
        },
    }


def _rows(curve: Curve) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for field, name in _NAMES.items():
        known = series(curve, field)
        alone = len(known) == 1
        shown = thinned(known, _MOST_POINTS)
        rows += [{"step": step, "loss": loss, "series": name, "alone": alone} for step, loss in shown]
    return rows


def thinned(known: Sequence[tuple[int, float]], most: int) -> Sequence[tuple[int, float]]:
    """Return at most `most` points, evenly taken, the last among them."""
    every = -(-len(known) // most) or 1
    return known[::-1][::every][::-1]


def _subtitle(job: Job) -> list[str]:
    told = [f"base model {_short(job.model)}" if job.model else "", f"{job.trained_tokens:,} trained tokens"
            if job.trained_tokens is not None else ""]  # fmt: skip
    return [*([_short(job.fine_tuned_model)] if job.fine_tuned_model else []), ", ".join(filter(None, told))]


def _short(text: str) -> str:
    """Return a remote text as a title may show it."""
    line = clean(text)
    return line if len(line) <= 90 else f"{line[:89]}…"
