"""A period's report: what it holds, as JSON and as a summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftjobs.jobs.curve import Curve
from ftjobs.ledger.groups import Group
from ftjobs.ledger.overview import Overview
from ftjobs.logs import scrub_text
from ftjobs.periods import as_of_text
from ftjobs.pricing.ownership import Ownership
from ftjobs.pricing.verdict import verdict
from ftjobs.reports.bridge import bridge_lines
from ftjobs.reports.envelope import envelope
from ftjobs.reports.figure import sentence
from ftjobs.reports.groups import GROUP_COLUMNS, TAGS_COUNT, by_spend, group_cells, group_name
from ftjobs.reports.month import billed_text, digest_text, title_text, unsettled_text
from ftjobs.reports.numbers import usd
from ftjobs.reports.tco import break_even_text, horizon_text

SANDBOX = "A sandbox's ledger: none of this cost money."
_MOST_ROWS = 10


@dataclass(frozen=True, slots=True)
class JobCurve:
    """The loss of a job, and what it was trained from."""

    job_id: str
    base_model: str | None
    curve: Curve


@dataclass(frozen=True, slots=True)
class Report:
    """A period with the curves that were found in `curves_from`, the newest job first.

    `more_curves` says that there are further ones. `owned` is None where no use of a month was given; `unowned`
    are models that nobody knows, or that are left out since there are too many.
    """

    overview: Overview
    curves: tuple[JobCurve, ...]
    more_curves: bool
    curves_from: str
    owned: tuple[Ownership, ...] | None
    unowned: tuple[str, ...]
    sandbox: bool


def report_json(report: Report, *, path: str, form: str, size: int) -> dict[str, Any]:
    """Return `ftjobs.report/1`: where it is and of what; `ledger --json` has the numbers."""
    found = report.overview
    return envelope(
        "report",
        sandbox=report.sandbox,
        path=scrub_text(path),
        format=form,
        bytes=size,
        period={"start": found.period.start, "end": found.period.end}
        if found.period
        else {"start": None, "end": None},
        as_of=as_of_text(found.as_of),
        digest=found.digest,
        jobs=found.totals.jobs,
        jobs_shown=len(found.newest),
        curves=len(report.curves),
        scenarios=len(report.owned or ()),
    )


def summary_lines(found: Overview) -> Iterator[str]:
    """Yield what was billed and why, and what is open, as `ledger` says it."""
    yield sentence(billed_text(found.totals, found.bills))
    if found.totals.bridge:
        yield from map(sentence, bridge_lines(found.totals.bridge))
    if found.totals.unsettled_jobs:
        yield sentence(unsettled_text(found.totals))


def markdown(report: Report) -> str:
    """Return the summary for a pull request or a chat; names from outside stand in code, where they do nothing."""
    return "\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
    found = report.overview
    yield f"### {title_text(found.period, found.as_of)}"
    yield ""
    if report.sandbox:
        yield from (f"**{SANDBOX}**", "")
    if not found.totals.jobs:
        yield from ("No jobs.", "")
    for line in summary_lines(found) if found.totals.jobs else ():
        yield from (_plain(line), "")
    yield from _groups("Model", found.by_model, "model")
    if any(group.name is not None for group in found.by_tag):
        yield from _groups("Tag", found.by_tag, "tag")
    for each in report.owned or ():
        yield (
            f"- {_code(each.base_model)}, {horizon_text(each)}: {usd(each.total)} fine-tuned against"
            f" {usd(each.compared_total)}; break-even: {break_even_text(each)}. {_plain(verdict(each))}"
        )
    if report.owned:
        yield ""
    yield f"{digest_text(found.digest)}"


def _groups(title: str, groups: Sequence[Group], by: str) -> Iterator[str]:
    if not groups:
        return
    ranked = by_spend(groups)
    yield f"| {title} | {' | '.join(each.title.capitalize() for each in GROUP_COLUMNS)} |"
    yield f"|---|{'---:|' * len(GROUP_COLUMNS)}"
    for group in ranked[:_MOST_ROWS]:
        name = group_name(group, by)
        shown = name if group.name is None else _code(name)
        yield f"| {shown} | {' | '.join(_plain(cell) for cell in group_cells(group.totals))} |"
    yield ""
    if len(ranked) > _MOST_ROWS:
        yield f"{len(ranked) - _MOST_ROWS:,} more are left out: `ftjobs ledger --by {by}` has them."
        yield ""
    if by == "tag":
        yield sentence(TAGS_COUNT)
        yield ""


def _code(text: str) -> str:
    """Return a text as code, which ends at a backtick, and in a table at a bar."""
    return f"`{scrub_text(text).replace('`', chr(39)).replace('|', '¦')}`"


def _plain(text: str) -> str:
    """Return our own words with what Markdown would read as HTML ("<$0.0001") kept as it is."""
    return scrub_text(text).replace("<", "&lt;").replace("|", "¦")
