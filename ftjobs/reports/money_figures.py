"""Pictures of a period's money: estimated against billed, who spent it, and why a bill is not its estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import groupby
from typing import Any

from ftjobs.ledger.bridge import Bridge
from ftjobs.ledger.groups import Group
from ftjobs.ledger.month import Totals
from ftjobs.ledger.overview import Overview
from ftjobs.logs import scrub_text
from ftjobs.money import ZERO, Usd, total
from ftjobs.periods import Period
from ftjobs.reports.bridge import amounts_that_add_up, bridge_lines
from ftjobs.reports.chart_style import (
    ACCENT,
    DOLLARS,
    INK,
    MUTED,
    NARROW,
    PLAIN,
    WIDE,
    Chart,
    chart,
    colours,
    dollar_axis,
)
from ftjobs.reports.figure import Figure, sentence
from ftjobs.reports.groups import GROUP_COLUMNS, TAGS_COUNT, by_spend, group_cells, group_name
from ftjobs.reports.month import billed_text
from ftjobs.reports.numbers import usd
from ftjobs.reports.table import Column

_MOST_BARS = 62
_MOST_GROUPS_DRAWN, MOST_GROUPS = 10, 100
_ESTIMATED, _BILLED = "estimated", "billed"
_FROM_ESTIMATE = f"datum.value === 0 ? 'estimated' : replace(format(datum.value, '+{DOLLARS}'), '−', '-')"


@dataclass(frozen=True, slots=True)
class _Span:
    """What a day, a month or a year billed, and what was estimated for it; None where no estimate is answered."""

    name: str
    billed: Usd
    estimated: Usd | None


def time_figure(found: Overview) -> Figure | None:
    """Return estimated against billed by day, else by month or year, whichever fits; None without a bill."""
    spans = _spans(found.by_day)
    if not spans:
        return None
    unit = {10: "day", 7: "month", 4: "year"}[len(spans[0].name)]
    names = _every_name(spans, found.period)
    bars = [
        {"span": span.name, "series": series, "usd": amount.plain()}
        for span in spans
        for series, amount in ((_ESTIMATED, span.estimated), (_BILLED, span.billed))
        if amount is not None
    ]
    highest = max(spans, key=lambda span: span.billed.nano)
    return Figure(
        "time",
        f"Estimated against billed, by {unit}",
        f"{sentence(billed_text(found.totals, found.bills))} The {unit} with the most is {highest.name}:"
        f" {usd(highest.billed)}. An estimate stands at the {unit} of the bill that answers it (UTC).",
        tuple(_time_chart(bars, names, unit, width=width) for width in (WIDE, NARROW)),
        (
            Column(unit.capitalize()),
            Column("Estimated", right=True),
            Column("Billed", right=True),
        ),
        tuple(
            [span.name, "none" if span.estimated is None else usd(span.estimated), usd(span.billed)]
            for span in spans
        ),
    )


def _spans(days: Sequence[Group]) -> list[_Span]:
    known = [(group.name, group.totals) for group in days if group.name is not None]
    for length in (len("2026-10-05"), len("2026-10"), len("2026")):
        spans = [
            _span(name, [totals for _, totals in group])
            for name, group in groupby(known, key=lambda each: each[0][:length])
        ]
        if len(spans) <= _MOST_BARS and (not spans or len(_between(spans[0].name, spans[-1].name)) <= _MOST_BARS):
            break
    return spans


def _span(name: str, days: Sequence[Totals]) -> _Span:
    estimates = [day.settled_estimate for day in days if day.settled_estimate is not None]
    return _Span(name, total([day.billed for day in days]), total(estimates) if estimates else None)


def _every_name(spans: Sequence[_Span], period: Period | None) -> list[str]:
    """Return the names from first to last, those without a bill too; of a whole period where it has bounds."""
    first, last = spans[0].name, spans[-1].name
    if period is not None:
        start, end = period.start.astimezone(UTC).date(), period.end.astimezone(UTC).date() - timedelta(days=1)
        first, last = (min(first, start.isoformat()[: len(first)]), max(last, end.isoformat()[: len(last)]))
    return _between(first, last)


def _between(first: str, last: str) -> list[str]:
    match len(first):
        case 4:
            return [f"{year:04d}" for year in range(int(first), int(last) + 1)]
        case 7:
            numbers = [int(each[:4]) * 12 + int(each[5:]) - 1 for each in (first, last)]
            return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(numbers[0], numbers[1] + 1)]
        case _:
            start = date.fromisoformat(first)
            days = (date.fromisoformat(last) - start).days
            return [(start + timedelta(days=nth)).isoformat() for nth in range(days + 1)]


def _time_chart(bars: Sequence[dict[str, str]], names: list[str], unit: str, *, width: int) -> Chart:
    label = "toNumber(slice(datum.value, 8))" if unit == "day" else "datum.value"
    months = sorted({name[:7] for name in names})
    title = f"day of {months[0]}" if unit == "day" and len(months) == 1 else unit
    return chart(
        bars,
        width=width,
        height=260,
        numbers=["usd"],
        mark={"type": "bar"},
        encoding={
            "x": {
                "field": "span",
                "type": "nominal",
                "title": title,
                "scale": {"domain": names, "paddingInner": 0.25, "paddingOuter": 0.1},
                "axis": {"labelAngle": 0, "labelExpr": label, "labelOverlap": True, "labelSeparation": 4},
            },
            "xOffset": {"field": "series", "scale": {"domain": [_ESTIMATED, _BILLED]}},
            "y": dollar_axis(),
            "color": colours([_ESTIMATED, _BILLED], [PLAIN, ACCENT]),
        },
    )


def spend_figure(groups: Sequence[Group], by: str, *, billed: Usd) -> Figure | None:
    """Return what of `billed` each model or tag was billed, the most first; None where nothing was billed."""
    ranked = by_spend(groups)
    if not any(group.totals.billed.nano for group in groups):
        return None
    bars = _bars(ranked, by)
    first = ranked[0]
    others = f" The table has the first {MOST_GROUPS} of {len(ranked):,}." if len(ranked) > MOST_GROUPS else ""
    counted = f" {sentence(TAGS_COUNT)}" if by == "tag" else ""
    return Figure(
        f"by-{by}",
        f"Spend by {by}",
        f"{usd(first.totals.billed)} of {usd(billed)} was billed to {group_name(first, by)}, the most."
        f"{counted}{others}",
        tuple(_spend_chart(bars, width=width) for width in (WIDE, NARROW)),
        (Column(by.capitalize()), *(Column(each.title.capitalize(), each.right) for each in GROUP_COLUMNS)),
        tuple([group_name(group, by), *group_cells(group.totals)] for group in ranked[:MOST_GROUPS]),
    )


def _bars(ranked: Sequence[Group], by: str) -> list[dict[str, Any]]:
    shown = [(scrub_text(group_name(group, by)), group.totals.billed) for group in ranked[:_MOST_GROUPS_DRAWN]]
    if others := ranked[_MOST_GROUPS_DRAWN:]:
        shown.append((f"{len(others):,} others", total([group.totals.billed for group in others])))
    return [
        {"rank": rank, "name": name, "usd": amount.plain(), "label": usd(amount)}
        for rank, (name, amount) in enumerate(shown)
    ]


def _spend_chart(bars: Sequence[dict[str, Any]], *, width: int) -> Chart:
    """Return a bar below each name: names of any length fit above bars of any width."""
    above = {"type": "text", "baseline": "middle", "yOffset": -9}
    return chart(
        bars,
        width=width,
        height=42 * len(bars) + 8,
        numbers=["usd"],
        encoding={"y": {"field": "rank", "type": "ordinal", "axis": None, "scale": {"padding": 0}}},
        layer=[
            {
                "mark": {"type": "bar", "height": 12, "yOffset": 8, "color": ACCENT},
                "encoding": {"x": {"field": "usd", "type": "quantitative", "axis": None}},
            },
            {
                "mark": {**above, "align": "left", "limit": width - 115},
                "encoding": {"x": {"value": 0}, "text": {"field": "name"}},
            },
            {
                "mark": {**above, "align": "right", "fill": MUTED},
                "encoding": {"x": {"value": "width"}, "text": {"field": "label"}},
            },
        ],
    )


def bridge_figure(totals: Totals) -> Figure | None:
    """Return how estimates became bills, step by step; None where none is answered, or all were right."""
    bridge = totals.bridge
    if bridge is None or totals.settled_estimate is None or totals.compared_billed is None:
        return None
    if not (told := bridge_lines(bridge)):
        return None
    steps = _steps(bridge)
    amounts = [*amounts_that_add_up([step for _, step in steps]), *amounts_that_add_up([bridge.variance])]
    bars, reached = [], ZERO
    for nth, ((name, step), label) in enumerate(
        zip([*steps, ("variance", bridge.variance)], amounts, strict=True)
    ):
        start = ZERO if nth == len(steps) else reached
        reached = start + step
        kind = "sum" if nth == len(steps) else "more" if step.nano > 0 else "less"
        top = max(start, reached)
        bars.append(
            {
                "step": name,
                "from": start.plain(),
                "to": reached.plain(),
                "top": top.plain(),
                "label": label,
                "series": kind,
            }
        )
    return Figure(
        "bridge",
        "Why the bills differ from their estimates",
        f"Estimated {usd(totals.settled_estimate)}, billed {usd(totals.compared_billed)} for the same jobs:"
        f" {told[0]}. The picture counts from the estimate; each step starts where the one before it ends.",
        tuple(_bridge_chart(bars, width=width) for width in (WIDE, NARROW)),
        (Column("Step"), Column("Amount", right=True)),
        tuple([str(bar["step"]), str(bar["label"])] for bar in bars),
    )


def _steps(bridge: Bridge) -> list[tuple[str, Usd]]:
    steps = [("epochs", bridge.epochs), ("token count", bridge.token_count), ("price", bridge.price)]
    return [*steps, ("other", bridge.other)] if bridge.other.nano else steps


def _bridge_chart(bars: Sequence[dict[str, str]], *, width: int) -> Chart:
    x = {
        "field": "step",
        "type": "nominal",
        "sort": None,
        "title": None,
        "axis": {"labelAngle": 0, "labelColor": INK},
        "scale": {"padding": 0.5},
    }
    return chart(
        bars,
        width=width,
        height=260,
        numbers=["from", "to", "top"],
        encoding={"x": x},
        layer=[
            {
                "mark": {"type": "bar"},
                "encoding": {
                    "y": {**dollar_axis("from"), "axis": {"labelExpr": _FROM_ESTIMATE, "tickCount": 5}},
                    "y2": {"field": "to"},
                    "color": colours(["more", "less", "sum"], [ACCENT, PLAIN, INK], legend=False),
                },
            },
            {"mark": {"type": "rule", "color": MUTED}, "encoding": {"x": None, "y": {"datum": 0}}},
            {
                "mark": {"type": "text", "baseline": "bottom", "dy": -4},
                "encoding": {"y": {"field": "top", "type": "quantitative"}, "text": {"field": "label"}},
            },
        ],
    )
