"""A period's report as one page: nothing in it runs, and nothing of it lies elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC
from importlib.resources import files

from ftjobs.ledger.month import Line
from ftjobs.ledger.overview import Overview
from ftjobs.pricing.caveats import caveats
from ftjobs.pricing.ownership import Ownership
from ftjobs.reports.estimate import price_lines
from ftjobs.reports.figure import Figure, escaped, figure_html, notes, paragraphs, sentence, table_html
from ftjobs.reports.jobs import COLUMNS, job_row
from ftjobs.reports.model_figures import loss_figure, ownership_figure
from ftjobs.reports.money_figures import bridge_figure, spend_figure, time_figure
from ftjobs.reports.month import digest_text, period_text, title_text
from ftjobs.reports.numbers import UNKNOWN, count, usd
from ftjobs.reports.report import SANDBOX, Report, summary_lines
from ftjobs.reports.table import Column
from ftjobs.reports.tco import use_text

_JOB_COLUMNS = (
    *(Column(each.title.capitalize(), each.right) for each in COLUMNS),
    Column("Tags", gives_way=1),
    Column("Created"),
)

_NEEDS_USE = (
    "What owning these models costs needs the use of a month: add --monthly-input and --monthly-output (and"
    " --base-input, where the base model needs a longer prompt)."
)


def page(report: Report) -> str:
    """Return the page as HTML, the same for the same report; ValueError where the drawer fails."""
    found = report.overview
    title = f"Fine-tuning costs {period_text(found.period)}"
    style = files("ftjobs.reports").joinpath("page.css").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    body = "".join(
        f"<section>\n<h2>{escaped(name)}</h2>\n{content}</section>\n" for name, content in _sections(report)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{_header(report, title)}<main>\n{body}</main>\n{_footer(found)}</body>\n</html>\n"
    )


def _header(report: Report, title: str) -> str:
    found = report.overview
    about = f"{title_text(found.period, found.as_of)} · {digest_text(found.digest)}"
    stamp = f'<p class="stamp">{escaped(SANDBOX)}</p>\n' if report.sandbox else ""
    numbers = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd><dd>{escaped(more)}</dd></div>\n"
        for name, value, more in _key_numbers(found)
    )
    return (
        f"<header>\n<h1>{escaped(title)}</h1>\n"
        f'<p class="about">{escaped(about)}</p>\n'
        f"{stamp}<dl>\n{numbers}</dl>\n</header>\n"
    )


def _key_numbers(found: Overview) -> Iterator[tuple[str, str, str]]:
    totals = found.totals
    yield (
        "Billed",
        usd(totals.billed) if found.bills else "nothing",
        f"{totals.trained_tokens:,} trained tokens" if found.bills else "so far",
    )
    if totals.settled_estimate is not None and totals.compared_billed is not None:
        whole = totals.compared_billed == totals.billed
        yield (
            "Estimated",
            usd(totals.settled_estimate),
            "for the same jobs" if whole else f"for {usd(totals.compared_billed)} of it",
        )
        pct = totals.variance_pct
        yield (
            "Variance",
            usd(totals.variance),
            "" if pct is None else f"{'' if pct.startswith('-') else '+'}{pct}% of the estimate",
        )
    unknown = f", {totals.unknown_billed_jobs} with an unknown bill" if totals.unknown_billed_jobs else ""
    yield "Jobs", f"{totals.jobs:,}", f"{totals.unsettled_jobs:,} unsettled{unknown}"
    if totals.unsettled_jobs:
        yield "Committed", usd(totals.commitment), "the most that unsettled jobs may cost"


def _sections(report: Report) -> Iterator[tuple[str, str]]:
    found = report.overview
    if not found.totals.jobs:
        yield "No jobs", paragraphs(["The ledger lists no job in this period."])
        return
    yield "Estimated and billed", _or_words(time_figure(found), "Nothing is billed in this period.")
    if found.bills:
        billed = found.totals.billed
        figures = [
            spend_figure(found.by_model, "model", billed=billed),
            spend_figure(found.by_tag, "tag", billed=billed),
        ]
        yield "Spend", _figures(figures) or paragraphs(["Every bill is $0.00."])
        yield "Variance", _variance(found)
    yield "Loss", _losses(report)
    yield "Ownership", _ownership(report)
    yield "Ledger", f'<div class="broad">\n{_ledger(found)}</div>\n'


def _or_words(figure: Figure | None, words: str) -> str:
    return paragraphs([words]) if figure is None else figure_html(figure)


def _figures(figures: list[Figure | None]) -> str:
    return "".join(figure_html(figure) for figure in figures if figure is not None)


def _variance(found: Overview) -> str:
    if found.totals.settled_estimate is None:
        return paragraphs(["No bill of this period answers an estimate, so there is nothing to compare."])
    return _or_words(bridge_figure(found.totals), "Every bill is its estimate, to the nano-dollar.")


def _losses(report: Report) -> str:
    drawn = [
        loss_figure(each.job_id, f"Trained from {each.base_model or UNKNOWN}", each.curve, name=f"loss-{number}")
        for number, each in enumerate(report.curves, 1)
    ]
    if not drawn:
        return paragraphs(
            [
                f"No result files of these jobs lie in {report.curves_from}, and the ledger keeps no curves."
                " `ftjobs results JOB` fetches those of a job; --results names the folder that they lie in."
            ]
        )
    more = (
        f"The {count(len(drawn), 'newest job')} with result files here; more are left out."
        if report.more_curves
        else ""
    )
    return f'{paragraphs([more] if more else [])}<div class="several">\n{_figures(list(drawn))}</div>\n'


def _ownership(report: Report) -> str:
    if report.owned is None:
        return paragraphs([_NEEDS_USE])
    left_out = [f"Not shown: {', '.join(report.unowned)} (see `ftjobs tco`)."] if report.unowned else []
    if not report.owned:
        return paragraphs(["No model that was billed in this period has a known price.", *left_out])
    blocks = "".join(_owned(each, f"ownership-{number}") for number, each in enumerate(report.owned, 1))
    sources = [line for each in report.owned for line in price_lines(each.price)]
    about = sentence(f"{use_text(report.owned[0])}, of each model")
    return paragraphs([about]) + blocks + notes([*map(sentence, sources), *left_out])


def _owned(owned: Ownership, name: str) -> str:
    unknown = f"{owned.base_model}: there is nothing to draw, since what its use costs is unknown."
    return _or_words(ownership_figure(owned, name=name), unknown) + notes(caveats(owned))


def _ledger(found: Overview) -> str:
    caption = title_text(found.period, found.as_of)
    shown = len(found.newest)
    more = (
        [f"The newest {shown:,} of {found.totals.jobs:,} jobs. `ftjobs ledger --csv` has all of them."]
        if shown < found.totals.jobs
        else []
    )
    jobs = table_html(caption, _JOB_COLUMNS, map(_cells, found.newest))
    return paragraphs([*more, *summary_lines(found)]) + jobs


def _cells(line: Line) -> list[str]:
    job, tags = line.subject.job, sorted(line.subject.tags.items())
    created = (job.created_at if job else line.subject.recorded_at).astimezone(UTC).date()
    return [*job_row(line), ", ".join(f"{name}={value}" for name, value in tags), created.isoformat()]


def _footer(found: Overview) -> str:
    told = paragraphs([f"Times are UTC. The digest is over the ordered entries: {found.digest}"])
    return f"<footer>\n{told}</footer>\n"
