"""`report`: a period as one page with pictures, or as a summary in Markdown; offline."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ftjobs.cli.context import open_app
from ftjobs.cli.ledger import as_of_instant, note_if_hardly_over
from ftjobs.cli.options import print_json
from ftjobs.cli.period import period_of
from ftjobs.errors import ConfigError, UsageError
from ftjobs.logs import scrub_text
from ftjobs.periods import month_of

if TYPE_CHECKING:
    from datetime import date

    from ftjobs.app import App
    from ftjobs.ledger.groups import Group
    from ftjobs.ledger.overview import Overview
    from ftjobs.pricing.ownership import Ownership, Use
    from ftjobs.reports.report import JobCurve, Report

STDOUT: Final = "-"
MOST_JOBS: Final = 1_000
MOST_CURVES: Final = 12
MOST_MODELS: Final = 4
_MONTHS, _MOST_MONTHS = 12, 60


def report(
    ctx: typer.Context,
    period: Annotated[
        str | None, typer.Argument(metavar="PERIOD", help="2026-10, 2026-10-05, 2026 or last; without, all.")
    ] = None,
    *,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="File to write, or - for stdout.")
    ] = None,
    month: Annotated[bool, typer.Option("--month", help="The month; the current one without PERIOD.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="As the ledger knew it on that day, or at that time."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="A summary for a chat, without pictures; to stdout without -o.")
    ] = False,
    results: Annotated[
        str,
        typer.Option("--results", metavar="DIR", show_default=False, help="Where `results` kept the files; here."),
    ] = ".",
    monthly_input: Annotated[
        str | None, typer.Option("--monthly-input", metavar="N", help="Input tokens a month, to weigh ownership.")
    ] = None,
    monthly_output: Annotated[
        str | None, typer.Option("--monthly-output", metavar="N", help="Output tokens a month, such as 0.3M.")
    ] = None,
    base_input: Annotated[
        str | None,
        typer.Option("--base-input", metavar="N", help="Input a month of the base model with a longer prompt."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Show a period as one page with pictures. Or as a summary for a chat; offline."""
    from ftjobs.ledger.overview import overview
    from ftjobs.reports.report import report_json

    app, given = open_app(ctx)
    now = app.ambient.now()
    chosen = period_of(period, now=now) if period is not None else month_of(now) if month else None
    until = as_of_instant(as_of)
    target = _target(output, markdown=markdown, as_json=given.json)
    use = _use(monthly_input, monthly_output, base_input)
    if not markdown:
        _require_drawer()
    note_if_hardly_over(until, now, given)
    with app.ledger.listing(chosen, as_of=until) as found:
        # What is there when the ledger is opened is what it knew at the next moment; to ask so would take longer.
        as_of_now = until or app.ambient.now()
        seen = overview(found.lines, period=chosen, as_of=as_of_now, digest=found.digest, most_lines=MOST_JOBS)
    told = _told(app, seen, use, results)
    text = _text(told, markdown=markdown)
    if target is None:
        sys.stdout.write(text)
        return
    _write(target, text.encode(), force=force)
    form = "markdown" if markdown else "html"
    if given.json:
        print_json(report_json(told, path=str(target), form=form, size=len(text.encode())))
    else:
        print(scrub_text(f"{target} is written ({len(text.encode()):,} bytes)"))


def _target(output: str | None, *, markdown: bool, as_json: bool) -> Path | None:
    """Return the file to write, None for stdout."""
    if not output and not (markdown and output is None):
        raise UsageError(
            "no_output", "A page needs a file to be in.", next_step="Name it: -o report.html (or - for stdout)."
        )
    if output not in {None, STDOUT}:
        return Path(str(output))
    if as_json:
        raise UsageError(
            "json_needs_stdout",
            "With --json one object goes to stdout, and so would the report.",
            next_step="Name a file with -o, or leave --json out.",
        )
    return None


def _use(monthly_input: str | None, monthly_output: str | None, base_input: str | None) -> Use | None:
    from ftjobs.cli.tco_input import read_use

    if monthly_input is None and monthly_output is None and base_input is None:
        return None
    if monthly_input is None or monthly_output is None:
        raise UsageError(
            "bad_use",
            "Ownership needs the input and the output of a month, and one of them is missing.",
            next_step="Give both --monthly-input and --monthly-output; 0 is a number too.",
        )
    return read_use(
        monthly_input=monthly_input,
        monthly_output=monthly_output,
        base_input=base_input,
        cached="0%",
        retry_overhead="0%",
        growth="0%",
        batch=False,
    )


def _require_drawer() -> None:
    from ftjobs.reports.drawing import can_draw

    if not can_draw():
        raise ConfigError(
            "no_drawer",
            "The page's pictures are drawn by an extra that is not installed.",
            next_step="pip install 'ftjobs[report]', or add --markdown for a summary without pictures.",
        )


def _told(app: App, seen: Overview, use: Use | None, results: str) -> Report:
    from ftjobs.reports.report import Report

    curves = list(islice(_curves(seen, Path(results)), MOST_CURVES + 1))
    owned, unowned = (None, ()) if use is None else _owned(app, seen, use)
    return Report(
        overview=seen,
        curves=tuple(curves[:MOST_CURVES]),
        more_curves=len(curves) > MOST_CURVES,
        curves_from="this folder" if results == "." else results,
        owned=owned,
        unowned=unowned,
        sandbox=app.profile.is_sandbox,
    )


def _curves(seen: Overview, folder: Path) -> Iterator[JobCurve]:
    """Yield the curves that lie here, of the newest jobs first, read when they are asked for."""
    from ftjobs.reports.chart import has_losses
    from ftjobs.reports.report import JobCurve
    from ftjobs.workflows.kept import kept_curve

    for line in seen.newest:
        job = line.subject.job
        curve = kept_curve(job.id, folder) if job else None
        if job and curve and has_losses(curve):
            yield JobCurve(job.id, line.base_model, curve)


def _owned(app: App, seen: Overview, use: Use) -> tuple[tuple[Ownership, ...], tuple[str, ...]]:
    """Return what owning the models with the highest bills costs, and the names of those that are left out."""
    from ftjobs.reports.groups import by_spend

    on = seen.as_of.date()
    owned: list[Ownership] = []
    unowned: list[str] = []
    for group in by_spend([group for group in seen.by_model if group.name and group.totals.trained_tokens]):
        found = _ownership(app, group, use, on=on) if len(owned) < MOST_MODELS else None
        if found is None:
            unowned.append(str(group.name))
        else:
            owned.append(found)
    return tuple(owned), tuple(unowned)


def _ownership(app: App, group: Group, use: Use, *, on: date) -> Ownership | None:
    """Return what owning this model costs until its shutdown, else for a year; None where nobody knows it."""
    from ftjobs.cli.tco_model import candidate, owned_by
    from ftjobs.pricing.horizon import months_until
    from ftjobs.pricing.ownership import Training
    from ftjobs.ranges import Range

    try:
        model = candidate(str(group.name), app, on)
    except UsageError:
        return None
    training = Training(Range.exactly(group.totals.trained_tokens), epochs=1, epochs_source="pinned")
    last = model.shutdown_date if model.is_capped else None
    months = _MONTHS if last is None else months_until(on, last, most=_MOST_MONTHS)
    return owned_by(model, training, use, app, today=on, months=months, training_cost=group.totals.billed)


def _text(told: Report, *, markdown: bool) -> str:
    if markdown:
        from ftjobs.reports.report import markdown as markdown_of

        return markdown_of(told)
    from ftjobs.reports.page import page

    try:
        return page(told)
    except ValueError as error:
        raise ConfigError(
            "not_drawn",
            f"The page's pictures cannot be drawn: {error}.",
            next_step="Install the extra again (pip install 'ftjobs[report]'), or add --markdown for a summary.",
        ) from error


def _write(target: Path, content: bytes, *, force: bool) -> None:
    from ftjobs.workflows.drafts import put

    try:
        placed = put(target, content, force=force)
    except (OSError, ValueError) as error:
        raise UsageError(
            "output_unwritable",
            f"{target} cannot be written: {getattr(error, 'strerror', None) or error}.",
            next_step="Name a file with -o in a folder that you may write to and that has room.",
            path=str(target),
        ) from None
    if placed == "taken":
        raise UsageError(
            "output_exists",
            f"{target} exists already and is something else; it was left alone.",
            next_step="Name another file with -o, or add --force to replace it.",
            path=str(target),
        )
