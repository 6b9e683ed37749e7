"""Pictures of models: the loss they were trained with, and what owning one costs against its base model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ftjobs.jobs.curve import Curve
from ftjobs.logs import scrub_text
from ftjobs.money import ZERO, Usd
from ftjobs.pricing.ownership import Cumulative, Ownership
from ftjobs.pricing.verdict import verdict
from ftjobs.reports.chart import loss_words, series
from ftjobs.reports.chart_style import (
    ACCENT,
    INK,
    NARROW,
    PLAIN,
    SMALL,
    WIDE,
    Chart,
    chart,
    colours,
    dollar_axis,
    one_day,
)
from ftjobs.reports.figure import Figure
from ftjobs.reports.numbers import usd
from ftjobs.reports.picture import thinned
from ftjobs.reports.table import Column
from ftjobs.reports.tco import break_even_text, horizon_text

_LOSSES = {"training": "train_loss", "validation": "valid_loss"}
_MOST_POINTS, _MOST_ROWS = 300, 24
_TUNED, _BASE, _LONGER = "fine-tuned", "base model", "base, longer prompt"


def loss_figure(job_id: str, about: str, curve: Curve, *, name: str) -> Figure | None:
    """Return the loss of a job by step; None without a credible one."""
    known = {title: found for title, field in _LOSSES.items() if (found := series(curve, field))}
    if not known:
        return None
    points = [
        {"step": step, "loss": loss, "series": title, "alone": len(found) == 1}
        for title, found in known.items()
        for step, loss in thinned(found, _MOST_POINTS)
    ]
    return Figure(
        name,
        job_id,
        f"{about}. {' '.join(f'{loss_words(title, found).capitalize()}.' for title, found in known.items())}",
        (_loss_chart(points, list(known)),),
        (Column("Step"), *(Column(f"{title} loss".capitalize(), right=True) for title in known)),
        tuple(_loss_rows(known)),
    )


def _loss_rows(known: dict[str, list[tuple[int, float]]]) -> list[list[str]]:
    by_step = [dict(found) for found in known.values()]
    steps = sorted({step for found in by_step for step in found})
    shown = [step for step, _ in thinned([(step, 0.0) for step in steps], _MOST_ROWS)]
    return [[f"{step:,}", *(f"{found[step]:.4g}" if step in found else "" for found in by_step)] for step in shown]


def _loss_chart(points: Sequence[dict[str, Any]], names: list[str]) -> Chart:
    shades = {"training": ACCENT, "validation": INK}
    loss = {
        "field": "loss",
        "type": "quantitative",
        "title": "loss",
        "scale": {"zero": False},
        "axis": {"tickCount": 4},
    }
    axis = {"format": ",d", "tickMinStep": 1, "tickCount": 6, "grid": False}
    step = {
        "field": "step",
        "type": "quantitative",
        "title": "step",
        "scale": {"zero": False, "nice": False},
        "axis": axis,
    }
    return chart(
        points,
        width=SMALL,
        height=220,
        encoding={"x": step, "y": loss, "color": colours(names, [shades[name] for name in names])},
        layer=[
            {"mark": {"type": "line", "strokeWidth": 1.75}},
            {
                "transform": [{"filter": "datum.series == 'validation' || datum.alone"}],
                "mark": {"type": "point", "filled": True, "size": 26, "opacity": 1},
            },
        ],
    )


def ownership_figure(owned: Ownership, *, name: str) -> Figure | None:
    """Return what has been paid by when, fine-tuned and on the base model; None where nothing is known."""
    names = [_TUNED, _BASE, *([_LONGER] if owned.has_longer_prompt else [])]
    if all(amount is None for each in owned.cumulative for amount in _paid(each, names)):
        return None
    at_start = (owned.horizon.start, [owned.training_cost, ZERO, ZERO][: len(names)])
    paid = [at_start, *((each.end, _paid(each, names)) for each in owned.cumulative)]
    points = [
        {"day": day.isoformat(), "series": series_name, "usd": amount.plain()}
        for day, amounts in paid
        for series_name, amount in zip(names, amounts, strict=True)
        if amount is not None
    ]
    ends_on = owned.shutdown_date if owned.horizon.capped_by_shutdown else None
    return Figure(
        name,
        f"{scrub_text(owned.base_model)}: what has been paid by when",
        f"{horizon_text(owned).capitalize()}. Training {usd(owned.training_cost)} as billed; then"
        f" {usd(owned.monthly)} a month fine-tuned, {usd(owned.base_monthly)} on the base model"
        f"{_longer_text(owned)}. In total {usd(owned.total)} against {usd(owned.compared_total)}."
        f" Break-even: {break_even_text(owned)}. {verdict(owned)}",
        tuple(_ownership_chart(points, names, ends_on, width=width) for width in (WIDE, NARROW)),
        (Column("Paid by"), *(Column(each.capitalize(), right=True) for each in names)),
        tuple([str(day), *(usd(amount) for amount in amounts)] for day, amounts in paid),
    )


def _paid(each: Cumulative, names: Sequence[str]) -> list[Usd | None]:
    return [each.fine_tuned, each.base, each.base_longer_prompt][: len(names)]


def _longer_text(owned: Ownership) -> str:
    return f" ({usd(owned.base_longer_prompt_monthly)} with the longer prompt)" if owned.has_longer_prompt else ""


def _shutdown(on: date, day: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a line where nothing is left to be paid, and what it is, above the picture."""
    label = {"type": "text", "align": "right", "baseline": "bottom", "dy": -6, "text": f"shutdown {on}"}
    once = one_day(on)
    return [
        {"data": once, "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3]}, "encoding": {"x": day}},
        {"data": once, "mark": label, "encoding": {"x": day, "y": {"value": 0}}},
    ]


def _ownership_chart(
    points: Sequence[dict[str, str]], names: list[str], ends_on: date | None, *, width: int
) -> Chart:
    day = {
        "field": "day",
        "type": "temporal",
        "title": None,
        "scale": {"type": "utc"},
        "axis": {
            "grid": False,
            "format": "%b %Y",
            "tickCount": "month",
            "labelOverlap": True,
            "labelSeparation": 8,
        },
    }
    series_of = colours(names, [ACCENT, PLAIN, INK][: len(names)])
    series_of["legend"] = {"offset": 26 if ends_on else 12, **({"columns": 2} if width == NARROW else {})}
    lines = {
        "mark": {"type": "line", "strokeWidth": 2, "point": {"size": 28}},
        "encoding": {"x": day, "y": dollar_axis(), "color": series_of},
    }
    return chart(
        points,
        width=width,
        height=280,
        numbers=["usd"],
        dates=["day"],
        layer=[lines, *(_shutdown(ends_on, day) if ends_on else [])],
    )
